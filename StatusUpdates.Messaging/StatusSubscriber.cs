using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace StatusUpdates.Messaging;

/// <summary>Handles one update. Updates of one subscription are handled one at a time, in the order of arrival.</summary>
public delegate ValueTask StatusUpdateHandler(StatusUpdate update, CancellationToken cancellationToken);

/// <summary>
/// Subscribes to status updates on Redis. Delivery is at most once; what is published while Redis is unavailable is lost. A consumer that needs every
/// update keeps a cursor over the log and uses this as a wake-up. An update on a user's channel without this system's tag (<see cref="MessageSeal"/>)
/// is passed on without <see cref="StatusUpdate.After"/>: it only says that there may be something new in the log.
/// Thread-safe; one instance serves a process.
/// </summary>
public sealed partial class StatusSubscriber(
    IConnectionMultiplexer redis,
    StatusMessagingOptions? options = null,
    ILogger<StatusSubscriber>? logger = null,
    MessageSeal? seal = null,
    MessagingWatch? watch = null,
    TimeProvider? time = null)
{
    /// <summary>The longest message accepted, in bytes: 64 KiB. Longer ones are ignored; their updates are in the log.</summary>
    public const int MaxMessageBytes = 64 * 1024;

    // For a generation id, in characters; ours are shorter.
    private const int MaxIdLength = 255;

    private readonly StatusMessagingOptions _options = options ?? new();
    private readonly StatusChannels _channels = new(options ?? new());
    private readonly MessagingWatch _watch = watch ?? new();
    private readonly ConcurrentDictionary<StatusSubscription, RedisChannel> _subscriptions = [];
    private readonly ILogger _logger = logger ?? NullLogger<StatusSubscriber>.Instance;
    private readonly LogPace _pace = new(time ?? TimeProvider.System);

    /// <summary>Whether Redis is connected.</summary>
    public bool IsConnected => redis.IsConnected;

    /// <summary>Subscribes to the updates of all users.</summary>
    /// <param name="handler">Called for each update; if it cannot keep up, the oldest waiting updates are dropped and counted.</param>
    /// <param name="cancellationToken">Cancels the wait for the acknowledgment; has no effect on a subscription that was returned.</param>
    /// <returns>The subscription, acknowledged or not: see <see cref="StatusSubscription.IsAcknowledged"/>.</returns>
    public Task<StatusSubscription> SubscribeAllAsync(StatusUpdateHandler handler, CancellationToken cancellationToken = default) =>
        SubscribeAsync(_channels.All, null, handler, cancellationToken);

    /// <summary>Subscribes to the updates of one user; messages of another user on that channel count as malformed and are dropped.</summary>
    /// <inheritdoc cref="SubscribeAllAsync(StatusUpdateHandler, CancellationToken)"/>
    public Task<StatusSubscription> SubscribeUserAsync(
        string userId, StatusUpdateHandler handler, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(userId);
        return SubscribeAsync(_channels.User(userId), userId, handler, cancellationToken);
    }

    /// <summary>
    /// Like <see cref="SubscribeAllAsync(StatusUpdateHandler, CancellationToken)"/>, for a handler that never blocks: there is no queue, and nothing
    /// is dropped.
    /// </summary>
    public Task<StatusSubscription> SubscribeAllAsync(Action<StatusUpdate> handler, CancellationToken cancellationToken = default) =>
        SubscribeAsync(_channels.All, message => Receive(message, null, handler), null, cancellationToken);

    /// <summary>
    /// Like <see cref="SubscribeUserAsync(string, StatusUpdateHandler, CancellationToken)"/>, for a handler that never blocks: there is no queue, and
    /// nothing is dropped.
    /// </summary>
    /// <param name="userId">The user.</param>
    /// <param name="handler">Called for each update.</param>
    /// <param name="sealedHandler">Called instead for updates of genuine messages; null: <paramref name="handler"/> gets these too.</param>
    /// <param name="cancellationToken">Cancels the wait for the acknowledgment.</param>
    public Task<StatusSubscription> SubscribeUserAsync(
        string userId, Action<StatusUpdate> handler, Action<SealedUpdate>? sealedHandler = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(userId);
        return SubscribeAsync(_channels.User(userId), message => Receive(message, userId, handler, sealedHandler), null, cancellationToken);
    }

    /// <summary>Subscribes to the ids of running generations whose owner asked to cancel them. The handler must not block.</summary>
    public Task<StatusSubscription> SubscribeCancelRequestsAsync(Action<string> handler, CancellationToken cancellationToken = default) =>
        SubscribeAsync(
            _channels.CancelRequests,
            message =>
            {
                if (IsTooLong(message))
                {
                    return;
                }

                if ((string?)message is { Length: > 0 and <= MaxIdLength } generationId)
                {
                    RunHandler(handler, generationId);
                }
                else
                {
                    CountMalformed("not a generation id");
                }
            },
            null,
            cancellationToken);

    private Task<StatusSubscription> SubscribeAsync(
        RedisChannel channel, string? userId, StatusUpdateHandler handler, CancellationToken cancellationToken)
    {
        var pump = new StatusUpdatePump(handler, _options.HandlerCapacity, _logger);
        Action<StatusUpdate> accept = pump.Accept; // One delegate for all messages.
        return SubscribeAsync(channel, message => Receive(message, userId, accept), pump, cancellationToken);
    }

    private async Task<StatusSubscription> SubscribeAsync(
        RedisChannel channel, Action<RedisValue> receive, StatusUpdatePump? pump, CancellationToken cancellationToken)
    {
        var subscriber = redis.GetSubscriber();

        // From here on the client keeps the subscription, even while Redis is unavailable, and renews it at every reconnect. This call comes first and is
        // not fire-and-forget, because the client subscribes again with the flags of the first call, and fire-and-forget gets no answer, not even a refusal.
        var subscribing = subscriber.SubscribeAsync(channel, Ignore);

        // A queue preserves the order of arrival; plain handlers do not.
        var queue = subscriber.Subscribe(channel, CommandFlags.FireAndForget);

        // Without the caller's context: later messages must not become part of the request that happened to subscribe.
        using (ExecutionContext.SuppressFlow())
        {
            queue.OnMessage(message => receive(message.Message));
        }

        var subscription = new StatusSubscription(queue, pump, ended => _subscriptions.TryRemove(ended, out _));
        _subscriptions[subscription] = channel;
        var acknowledged = WaitForAcknowledgmentAsync(channel, subscribing, isFirst: true);
        if (!redis.IsConnected)
        {
            return subscription;
        }

        try
        {
            subscription.IsAcknowledged = await acknowledged.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await subscription.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        return subscription;
    }

    /// <summary>Whether Redis refused a command for lack of permission (ACL).</summary>
    internal static bool IsDenial(RedisServerException e) => e.Message.StartsWith("NOPERM", StringComparison.Ordinal);

    /// <summary>Subscribes again to channels that Redis has not accepted although it is connected.</summary>
    internal async Task ResubscribeAsync(CancellationToken cancellationToken)
    {
        var subscriber = redis.GetSubscriber();
        foreach (var (subscription, channel) in _subscriptions)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (redis.IsConnected && subscriber.SubscribedEndpoint(channel) is null && !await SubscribeAgainAsync(channel).ConfigureAwait(false))
            {
                // The others would get the same answer.
                return;
            }

            subscription.IsAcknowledged = true;
        }
    }

    /// <summary>Repeats a subscribe that the client already keeps.</summary>
    private Task<bool> SubscribeAgainAsync(RedisChannel channel) =>
        WaitForAcknowledgmentAsync(channel, redis.GetSubscriber().SubscribeAsync(channel, Ignore), isFirst: false);

    /// <summary>Waits for Redis's answer to a subscribe, and reports a refusal.</summary>
    private async Task<bool> WaitForAcknowledgmentAsync(RedisChannel channel, Task subscribing, bool isFirst)
    {
        var what = $"SUBSCRIBE {_channels.NameOf(channel)}";
        try
        {
            await subscribing.WaitAsync(_options.SubscribeTimeout).ConfigureAwait(false);
            _watch.Ended(what);
            return true;
        }
        catch (RedisServerException e) when (IsDenial(e))
        {
            _watch.Denied(what, e.Message);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            LogNotAcknowledged(e.GetType().Name);
            if (!isFirst && redis.IsConnected)
            {
                // Subscriptions have a connection of their own; the client does not report its loss while the other one works.
                _watch.Denied(what, $"no answer within {_options.SubscribeTimeout}");
            }
        }
        finally
        {
            redis.GetSubscriber().Unsubscribe(channel, Ignore, CommandFlags.FireAndForget);
        }

        return false;
    }

    private static void Ignore(RedisChannel channel, RedisValue message)
    {
        // The subscription's own queue handles it.
    }

    private void Receive(RedisValue message, string? userId, Action<StatusUpdate> accept, Action<SealedUpdate>? acceptSealed = null)
    {
        if (IsTooLong(message))
        {
            return;
        }

        var payload = (ReadOnlyMemory<byte>)message;
        var isGenuine = userId is not null && MessageSeal.IsSealed(payload.Span) && seal?.IsGenuine(payload.Span) == true;
        if (isGenuine && acceptSealed is not null && SealedUpdate.TryRead(payload, userId!, out var sealedUpdate))
        {
            MessagingTelemetry.Received.Add(1);
            RunHandler(acceptSealed, sealedUpdate);
            return;
        }

        if (!StatusJson.TryDecode(payload.Span, out var update, out var error))
        {
            CountMalformed(error);
            return;
        }

        if (userId is not null && !string.Equals(update.UserId, userId, StringComparison.Ordinal))
        {
            CountMalformed("userId does not match the channel");
            return;
        }

        MessagingTelemetry.Received.Add(1);
        if (userId is not null && update.After is not null && !isGenuine)
        {
            MessagingTelemetry.Unsealed.Add(1);
            update = update with { After = null };
        }

        RunHandler(accept, update);
    }

    private void RunHandler<T>(Action<T> handle, T update)
    {
        try
        {
            handle(update);
        }
        catch (Exception e)
        {
            // A failing handler must stop neither the next update nor another subscription.
            MessagingTelemetry.HandlerFailures.Add(1);
            LogHandlerFailed(e);
        }
    }

    private bool IsTooLong(RedisValue message)
    {
        if (message.Length() <= MaxMessageBytes)
        {
            return false;
        }

        CountMalformed($"longer than {MaxMessageBytes} bytes");
        return true;
    }

    private void CountMalformed(string error)
    {
        MessagingTelemetry.Malformed.Add(1);
        if (_pace.IsDue(out var count))
        {
            LogMalformed(count, error);
        }
    }

    [LoggerMessage(1101, LogLevel.Warning, "Ignored {Count} messages on status channels since the last such warning; the latest: {Error}")]
    private partial void LogMalformed(long count, string error);

    [LoggerMessage(1102, LogLevel.Error, "A handler of status updates failed")]
    private partial void LogHandlerFailed(Exception exception);

    [LoggerMessage(1103, LogLevel.Debug, "Redis has not acknowledged a subscription yet ({Reason}); it takes effect when Redis is available again")]
    private partial void LogNotAcknowledged(string reason);
}
