using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace StatusUpdates.Messaging;

/// <summary>
/// Publishes status updates on the global channel and on the user's channel. A message on Redis is a hint: it may be lost, repeated or
/// reordered; only the log is complete. Thread-safe; one instance serves a process.
/// </summary>
public sealed partial class StatusPublisher(
    IConnectionMultiplexer redis,
    StatusMessagingOptions? options = null,
    ILogger<StatusPublisher>? logger = null,
    MessageSeal? seal = null,
    MessagingWatch? watch = null)
{
    private const string TimedOut = "timeout";

    private readonly StatusMessagingOptions _options = options ?? new();
    private readonly StatusChannels _channels = new(options ?? new());
    private readonly MessagingWatch _watch = watch ?? new();
    private readonly ILogger _logger = logger ?? NullLogger<StatusPublisher>.Instance;

    // The latest send on the global channel that was not answered in time.
    private Task _late = Task.CompletedTask;

    /// <summary>The connection for the channels with many subscribers; null to use that of the users' channels.</summary>
    internal BroadcastConnection? Broadcast { get; init; }

    /// <summary>Publishes one update on both channels concurrently.</summary>
    /// <exception cref="RedisException">Redis is unavailable or refused; the update was published on none, one or both channels.</exception>
    public Task PublishStatusUpdateAsync(StatusUpdate update, CancellationToken cancellationToken = default) =>
        PublishStatusUpdatesAsync([update], cancellationToken);

    /// <summary>Publishes many updates, pipelined in order on each channel: one round trip for all of them.</summary>
    /// <exception cref="RedisException">Redis is unavailable or refused; some of the updates may have been published.</exception>
    public Task PublishStatusUpdatesAsync(IReadOnlyList<StatusUpdate> updates, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return SendAsync(updates).WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Announces updates that are already committed. Waits at most <see cref="StatusMessagingOptions.PublishTimeout"/> and never throws,
    /// because a caller whose update is durable has succeeded. Takes no cancellation token for the same reason. Cursors find updates
    /// that were not announced in the log.
    /// </summary>
    /// <returns>Whether Redis accepted all of them in time.</returns>
    public async Task<bool> TryPublishAsync(IReadOnlyList<StatusUpdate> updates)
    {
        if (updates.Count == 0 || await TrySendAsync(updates).ConfigureAwait(false) is not { } failure)
        {
            return true;
        }

        MessagingTelemetry.PublishFailures.Add(updates.Count, new KeyValuePair<string, object?>("error.type", failure));
        LogNotPublished(updates.Count, failure);
        return false;
    }

    /// <summary>
    /// Notifies workers of a request to cancel a running generation. Bounded in time and never throws, like <see cref="TryPublishAsync"/>.
    /// The request itself is in the database, where the worker's next heartbeat finds it.
    /// </summary>
    /// <returns>Whether Redis accepted it in time.</returns>
    public async Task<bool> TryPublishCancelRequestAsync(string generationId)
    {
        if (!redis.IsConnected)
        {
            return false;
        }

        return await TrySendAsync(_channels.NameOf(_channels.CancelRequests), () => SendCancelRequestAsync(generationId)).ConfigureAwait(false) is null;
    }

    /// <returns>What went wrong, for telemetry; null if nothing did.</returns>
    private async Task<string?> TrySendAsync(IReadOnlyList<StatusUpdate> updates)
    {
        // Queueing while Redis is unavailable would only deliver late what the sweep delivers anyway.
        if (!redis.IsConnected)
        {
            return "not_connected";
        }

        var outgoing = new OutgoingUpdates(updates, _channels.UserTemplate, seal);
        var toUsers = TrySendAsync(_channels.UserTemplate, () => SendToUsersAsync(outgoing));
        var failures = await Task.WhenAll(toUsers, TrySendToAllAsync(outgoing)).ConfigureAwait(false);
        var failure = failures[0] ?? failures[1];
        outgoing.End(failure);
        return failure;
    }

    private async Task<string?> TrySendToAllAsync(OutgoingUpdates outgoing)
    {
        var isHeldUp = !Volatile.Read(ref _late).IsCompleted;
        var sending = SendToAllAsync(outgoing);
        if (isHeldUp && !sending.IsCompleted)
        {
            // An earlier caller has already timed out; this message is queued behind its own.
            return TimedOut;
        }

        var failure = await TrySendAsync(_channels.NameOf(_channels.All), () => sending).ConfigureAwait(false);
        if (failure == TimedOut)
        {
            Volatile.Write(ref _late, sending);
        }

        return failure;
    }

    private async Task<string?> TrySendAsync(string channel, Func<Task> send)
    {
        var what = $"PUBLISH {channel}";
        try
        {
            await send().WaitAsync(_options.PublishTimeout).ConfigureAwait(false);
            _watch.Ended(what);
            return null;
        }
        catch (TimeoutException)
        {
            return TimedOut;
        }
        catch (RedisServerException e) when (StatusSubscriber.IsDenial(e))
        {
            _watch.Denied(what, e.Message);
            return "denied";
        }
        catch (Exception e)
        {
            // Of any type: when a connection fails, the client hands its cause to all waiting calls. The update is durable either way.
            return e.GetType().Name;
        }
    }

    private async Task SendAsync(IReadOnlyList<StatusUpdate> updates)
    {
        var outgoing = new OutgoingUpdates(updates, _channels.UserTemplate, seal);
        string? failure = null;
        try
        {
            await Task.WhenAll(SendToUsersAsync(outgoing), SendToAllAsync(outgoing)).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            failure = e.GetType().FullName;
            throw;
        }
        finally
        {
            outgoing.End(failure);
        }
    }

    private Task SendToUsersAsync(OutgoingUpdates outgoing) =>
        SendAsync(redis.GetSubscriber(), outgoing, update => _channels.User(update.UserId));

    private async Task SendToAllAsync(OutgoingUpdates outgoing) =>
        await SendAsync(await SubscriberForAllAsync().ConfigureAwait(false), outgoing, _ => _channels.All).ConfigureAwait(false);

    private async Task SendCancelRequestAsync(string generationId)
    {
        var subscriber = await SubscriberForAllAsync().ConfigureAwait(false);
        await subscriber.PublishAsync(_channels.CancelRequests, generationId).ConfigureAwait(false);
    }

    private async ValueTask<ISubscriber> SubscriberForAllAsync() =>
        Broadcast is null ? redis.GetSubscriber() : await Broadcast.GetAsync().ConfigureAwait(false);

    private static async Task SendAsync(ISubscriber subscriber, OutgoingUpdates outgoing, Func<StatusUpdate, RedisChannel> channelOf)
    {
        var sends = new Task[outgoing.Messages.Length];
        for (var i = 0; i < sends.Length; i++)
        {
            sends[i] = subscriber.PublishAsync(channelOf(outgoing.Updates[i]), outgoing.Messages[i]);
        }

        await Task.WhenAll(sends).ConfigureAwait(false);
    }

    [LoggerMessage(1001, LogLevel.Debug, "{Updates} committed updates were not announced on Redis: {Reason}")]
    private partial void LogNotPublished(int updates, string reason);
}
