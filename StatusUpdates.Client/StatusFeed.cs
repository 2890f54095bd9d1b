using Microsoft.Extensions.Logging;
using StatusUpdates.Client.Feeds;
using StatusUpdates.Client.Http;
using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

/// <summary>
/// A user's status updates after a cursor: each exactly once and in order, across reconnects, API instances and transports.
/// Enumerating connects; leaving the enumeration closes the connection, and a new enumeration continues at <see cref="Cursor"/>. Nothing is
/// read ahead of the enumeration: a slow consumer costs no memory.
/// Failures of the network, a server or the caller's <see cref="StatusUpdatesClientOptions.HttpMessageHandler"/>, and responses that do not
/// come from the API, lead to reconnects, without limit: a wrong <see cref="StatusUpdatesClientOptions.BaseAddress"/> shows only in the log.
/// The enumeration ends with the caller's cancellation, a <see cref="StatusUpdatesException"/>, or an exception of the token provider.
/// One enumeration at a time; the properties may be read from any thread.
/// </summary>
public sealed partial class StatusFeed : IAsyncEnumerable<StatusFeedItem>
{
    private const long Unknown = -1;

    private readonly ApiCaller _api;
    private readonly StatusFeedOptions _options;
    private readonly ReconnectPlan _plan;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private LogPosition? _cursor;
    private string? _userId;
    private string? _staleToken;
    private TimeSpan _wait;
    private int _transport = (int)Unknown;
    private int _enumerating;

    internal StatusFeed(ApiCaller api, StatusFeedOptions options)
    {
        _api = api;
        _options = options;
        _plan = new(api.Options, Random.Shared.NextDouble);
        _logger = api.Options.LoggerFactory.CreateLogger<StatusFeed>();
        _cursor = options.Since;
    }

    /// <summary>
    /// The position to continue from: every update up to here has been yielded. It moves before an item is yielded, not after the loop body
    /// has processed it: if the body throws and the same feed is enumerated again, that item is not repeated. To process each update at least
    /// once, read the cursor in the loop after processing, store it together with the effects, and after a failure start a new feed
    /// (<see cref="StatusUpdatesClient.Watch"/>) with it as <see cref="StatusFeedOptions.Since"/>. Null until the first connection of a feed
    /// that starts at the head.
    /// </summary>
    public LogPosition? Cursor
    {
        get
        {
            lock (_gate)
            {
                return _cursor;
            }
        }

        private set
        {
            lock (_gate)
            {
                _cursor = value;
            }
        }
    }

    /// <summary>The transport of the current connection; null if the feed is not connected.</summary>
    public StatusTransport? Transport => Volatile.Read(ref _transport) is var transport and >= 0 ? (StatusTransport)transport : null;

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">
    /// The feed is already being enumerated (thrown by the first <see cref="IAsyncEnumerator{T}.MoveNextAsync"/>).
    /// </exception>
    public async IAsyncEnumerator<StatusFeedItem> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _enumerating, 1) != 0)
        {
            throw new InvalidOperationException("The feed is already being enumerated. Create another one with Watch.");
        }

        try
        {
            while (true)
            {
                var session = CreateSession();
                await using (session.ConfigureAwait(false))
                {
                    while (await NextAsync(session, cancellationToken).ConfigureAwait(false) is { } events)
                    {
                        foreach (var item in events)
                        {
                            if (Apply(item) is { } result)
                            {
                                yield return result;
                            }
                        }
                    }
                }

                await WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            Volatile.Write(ref _transport, (int)Unknown);
            Volatile.Write(ref _enumerating, 0);
        }
    }

    private IFeedSession CreateSession()
    {
        if (_plan.Transport == StatusTransport.LongPolling)
        {
            return new LongPollSession(_api, () => Cursor);
        }

        var address = new QueryText("ws/status");
        address.Add("since", Cursor?.ToString());
        address.Add("generationId", _options.GenerationId);
        address.Add("batch", _options.Batch ? "true" : null);
        return new WebSocketSession(_api, address.ToString(), _staleToken, _logger);
    }

    /// <summary>The session's next events; null when the session is over and the next one is planned.</summary>
    private async ValueTask<IReadOnlyList<FeedEvent>?> NextAsync(IFeedSession session, CancellationToken cancellationToken)
    {
        if (_plan.IsSocketDue)
        {
            LogTryingSocket(_logger);
            _plan.TrySocket();
            _wait = TimeSpan.Zero;
            return null;
        }

        try
        {
            var events = await session.NextAsync(cancellationToken).ConfigureAwait(false);
            if (Transport != session.Transport || session.Transport == StatusTransport.LongPolling)
            {
                OnConnected(session);
            }

            return events;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e) when (FeedFailure.Of(e, session.Transport, session.Phase) is { } failure)
        {
            Volatile.Write(ref _transport, (int)Unknown);
            PlanAfter(failure, session);
            return null;
        }
    }

    private void OnConnected(IFeedSession session)
    {
        _staleToken = null;
        _plan.OnConnected();
        if (Transport != session.Transport)
        {
            Volatile.Write(ref _transport, (int)session.Transport);
            LogConnected(_logger, session.Transport);
        }
    }

    private void PlanAfter(FeedFailure failure, IFeedSession session)
    {
        // Before the plan, which may throw: if the feed is enumerated again, it must not use the same token.
        if (failure.Kind is FeedFailureKind.TokenRefused or FeedFailureKind.TokenExpired)
        {
            _staleToken = session.Token;
        }

        _wait = _plan.After(failure);
        LogDisconnected(_logger, failure.Kind, failure.Exception.Message, _plan.Transport, _wait);
    }

    private Task WaitAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _wait > TimeSpan.Zero ? Task.Delay(_wait, _api.Options.TimeProvider, cancellationToken) : Task.CompletedTask;
    }

    private StatusFeedItem? Apply(FeedEvent item)
    {
        CheckUser(item.UserId);
        switch (item.Kind)
        {
            case FeedEventKind.Update when item.Update!.Seq is null:
                return IsWanted(item) ? new StatusFeedItem.Updated(item.Update) : null;
            case FeedEventKind.Update when item.Position.Seq > (_cursor?.Seq ?? Unknown):
                Cursor = item.Position;
                return IsWanted(item) ? new StatusFeedItem.Updated(item.Update!) : null;
            case FeedEventKind.Resync:
                Cursor = item.Position;
                return new StatusFeedItem.Resync(item.Position);
            case FeedEventKind.Position when item.Position.Seq > (_cursor?.Seq ?? Unknown):
            case FeedEventKind.Started when _cursor is null:
            case FeedEventKind.Position or FeedEventKind.Started when _cursor is { Check: null } bare && item.Position.Agrees(bare):
                // A later position, or the same one with the check that a bare number lacks.
                Cursor = item.Position;
                return null;
            default:
                // Already known.
                return null;
        }
    }

    private bool IsWanted(FeedEvent item) => _options.GenerationId is null || _options.GenerationId == item.Update!.GenerationId;

    // A cursor belongs to one user's log. In another user's log it would silently skip or repeat updates.
    private void CheckUser(string? userId)
    {
        if (userId is null)
        {
            return;
        }

        _userId ??= userId;
        if (!string.Equals(_userId, userId, StringComparison.Ordinal))
        {
            throw new StatusUpdatesException("The token belongs to a different user than the one the feed started with.")
            {
                Code = StatusUpdatesException.UserChanged,
            };
        }
    }

    [LoggerMessage(7001, LogLevel.Debug, "Connected over {Transport}")]
    private static partial void LogConnected(ILogger logger, StatusTransport transport);

    [LoggerMessage(7002, LogLevel.Information, "Disconnected ({Kind}: {Reason}); next attempt over {Transport} in {Wait}")]
    private static partial void LogDisconnected(
        ILogger logger, FeedFailureKind kind, string reason, StatusTransport transport, TimeSpan wait);

    [LoggerMessage(7003, LogLevel.Debug, "Trying WebSocket again")]
    private static partial void LogTryingSocket(ILogger logger);
}
