using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace StatusUpdates.Messaging;

/// <summary>Handles one update. Updates of one subscription are handled one after the other, in the order of arrival.</summary>
public delegate ValueTask StatusUpdateHandler(StatusUpdate update, CancellationToken cancellationToken);

/// <summary>
/// Subscribes to status updates on Redis: at most once, and nothing of what was published while Redis was away. Who needs every update
/// holds a cursor over the log and takes this as a wake-up. An update of a user's channel that bears no tag of this system's (<see cref="MessageSeal"/>)
/// is handed on without <see cref="StatusUpdate.After"/>: it says that there may be something in the log, and no more.
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
    /// <summary>The longest message that is read, in bytes: 64 KiB. What is longer is refused; its update is in the log.</summary>
    public const int MaxMessageBytes = 64 * 1024;

    // Of a generation, in characters; none of ours is as long.
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
    /// <param name="handler">Called for each; if it is slower than the updates, the oldest waiting are dropped and counted.</param>
    /// <param name="cancellationToken">Ends the wait for the acknowledgement, not the subscription.</param>
    /// <returns>The subscription, acknowledged or not: see <see cref="StatusSubscription.IsAcknowledged"/>.</returns>
    public Task<StatusSubscription> SubscribeAllAsync(StatusUpdateHandler handler, CancellationToken cancellationToken = default) =>
        SubscribeAsync(_channels.All, null, new StatusUpdatePump(handler, _options.HandlerCapacity, _logger), cancellationToken);

    /// <summary>Subscribes to the updates of one user; a message of another user on that channel is malformed and not handed on.</summary>
    /// <inheritdoc cref="SubscribeAllAsync(StatusUpdateHandler, CancellationToken)"/>
    public Task<StatusSubscription> SubscribeUserAsync(
        string userId, StatusUpdateHandler handler, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(userId);
        return SubscribeAsync(
            _channels.User(userId), userId, new StatusUpdatePump(handler, _options.HandlerCapacity, _logger), cancellationToken);
    }

    /// <summary>As <see cref="SubscribeAllAsync(StatusUpdateHandler, CancellationToken)"/>, for a handler that never waits: it has no queue, and nothing is dropped.</summary>
    public Task<StatusSubscription> SubscribeAllAsync(Action<StatusUpdate> handler, CancellationToken cancellationToken = default) =>
        SubscribeAsync(_channels.All, null, new DirectHandler(handler), cancellationToken);

    /// <summary>As <see cref="SubscribeUserAsync(string, StatusUpdateHandler, CancellationToken)"/>, for a handler that never waits: it has no queue, and nothing is dropped.</summary>
    public Task<StatusSubscription> SubscribeUserAsync(
        string userId, Action<StatusUpdate> handler, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(userId);
        return SubscribeAsync(_channels.User(userId), userId, new DirectHandler(handler), cancellationToken);
    }

    /// <summary>Subscribes to the ids of running generations whose owner asked to stop them. The handler never waits.</summary>
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
                    Guarded(() => handler(generationId));
                }
                else
                {
                    CountMalformed("no generation's id");
                }
            },
            null,
            cancellationToken);

    private Task<StatusSubscription> SubscribeAsync(
        RedisChannel channel, string? userId, IStatusUpdateSink sink, CancellationToken cancellationToken) =>
        SubscribeAsync(channel, message => Receive(message, userId, sink), sink, cancellationToken);

    private async Task<StatusSubscription> SubscribeAsync(
        RedisChannel channel, Action<RedisValue> receive, IAsyncDisposable? sink, CancellationToken cancellationToken)
    {
        var subscriber = redis.GetSubscriber();

        // On the books from here on (and made again at every reconnect), even while Redis is away. It comes first and is no fire-and-forget: the client
        // asks again for a channel in the way of the first time, and a fire-and-forget hears no answer, not even that it is refused.
        var asked = subscriber.SubscribeAsync(channel, Ignore);

        // Its queue keeps the order of arrival, which plain handlers do not.
        var queue = subscriber.Subscribe(channel, CommandFlags.FireAndForget);

        // Without the caller's context: a request that happened to subscribe is not what later messages are a part of.
        using (ExecutionContext.SuppressFlow())
        {
            queue.OnMessage(message => receive(message.Message));
        }

        var subscription = new StatusSubscription(queue, sink, ended => _subscriptions.TryRemove(ended, out _));
        _subscriptions[subscription] = channel;
        var heard = HearAsync(channel, asked, isFirst: true);
        if (!redis.IsConnected)
        {
            return subscription;
        }

        try
        {
            subscription.IsAcknowledged = await heard.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await subscription.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        return subscription;
    }

    /// <summary>Whether Redis refused something for want of a right (its ACL).</summary>
    internal static bool IsDenial(RedisServerException e) => e.Message.StartsWith("NOPERM", StringComparison.Ordinal);

    /// <summary>Subscribes again where Redis has not taken it, though it is connected.</summary>
    internal async Task TendAsync(CancellationToken cancellationToken)
    {
        var subscriber = redis.GetSubscriber();
        foreach (var (subscription, channel) in _subscriptions)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (redis.IsConnected && subscriber.SubscribedEndpoint(channel) is null && !await SubscribeAgainAsync(channel).ConfigureAwait(false))
            {
                // The next ones would hear the same.
                return;
            }

            subscription.IsAcknowledged = true;
        }
    }

    /// <summary>Asks for what is on the books already.</summary>
    private Task<bool> SubscribeAgainAsync(RedisChannel channel) => HearAsync(channel, redis.GetSubscriber().SubscribeAsync(channel, Ignore), isFirst: false);

    /// <summary>Hears what Redis says to a subscribe, and tells what it refuses.</summary>
    private async Task<bool> HearAsync(RedisChannel channel, Task asked, bool isFirst)
    {
        var what = $"SUBSCRIBE {_channels.NameOf(channel)}";
        try
        {
            await asked.WaitAsync(_options.SubscribeTimeout).ConfigureAwait(false);
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
                // Subscriptions have a connection of their own, whose end the client tells nobody while the other one stands.
                _watch.Denied(what, $"it does not answer within {_options.SubscribeTimeout}");
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
        // The subscription's own queue has it.
    }

    private void Receive(RedisValue message, string? userId, IStatusUpdateSink sink)
    {
        if (IsTooLong(message))
        {
            return;
        }

        var payload = (ReadOnlyMemory<byte>)message;
        if (!StatusJson.TryDecode(payload.Span, out var update, out var error))
        {
            CountMalformed(error);
            return;
        }

        if (userId is not null && !string.Equals(update.UserId, userId, StringComparison.Ordinal))
        {
            CountMalformed("userId is not the channel's");
            return;
        }

        MessagingTelemetry.Received.Add(1);
        if (userId is not null && update.After is not null && seal?.IsGenuine(payload.Span) != true)
        {
            MessagingTelemetry.Unsealed.Add(1);
            update = update with { After = null };
        }

        Guarded(() => sink.Accept(update));
    }

    private void Guarded(Action handle)
    {
        try
        {
            handle();
        }
        catch (Exception e)
        {
            // A handler's fault is its own: the next update, and every other subscription, goes on.
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

    [LoggerMessage(1101, LogLevel.Warning, "Messages on status channels were ignored, {Count} since this was said last; of the latest one: {Error}")]
    private partial void LogMalformed(long count, string error);

    [LoggerMessage(1102, LogLevel.Error, "A handler of status updates failed")]
    private partial void LogHandlerFailed(Exception exception);

    [LoggerMessage(1103, LogLevel.Debug, "Redis did not acknowledge a subscription yet ({Reason}); it takes effect when Redis is back")]
    private partial void LogNotAcknowledged(string reason);

    private sealed class DirectHandler(Action<StatusUpdate> handler) : IStatusUpdateSink
    {
        public void Accept(StatusUpdate update) => handler(update);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
