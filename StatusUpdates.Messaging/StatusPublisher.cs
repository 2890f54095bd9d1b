using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace StatusUpdates.Messaging;

/// <summary>
/// Publishes status updates on the global channel and on the user's. A message on Redis is a hint: it may be lost, repeated or
/// reordered, and only the log is complete. Thread-safe; one instance serves a process.
/// </summary>
public sealed partial class StatusPublisher(
    IConnectionMultiplexer redis,
    StatusMessagingOptions? options = null,
    ILogger<StatusPublisher>? logger = null,
    MessageSeal? seal = null,
    MessagingWatch? watch = null)
{
    private readonly StatusMessagingOptions _options = options ?? new();
    private readonly StatusChannels _channels = new(options ?? new());
    private readonly MessagingWatch _watch = watch ?? new();
    private readonly ILogger _logger = logger ?? NullLogger<StatusPublisher>.Instance;

    /// <summary>Publishes one update on both channels, in one round trip.</summary>
    /// <exception cref="RedisException">Redis is away or refused; the update was published on none, one or both channels.</exception>
    public Task PublishStatusUpdateAsync(StatusUpdate update, CancellationToken cancellationToken = default) =>
        PublishStatusUpdatesAsync([update], cancellationToken);

    /// <summary>Publishes many updates, pipelined in their order: one round trip for all.</summary>
    /// <exception cref="RedisException">Redis is away or refused; some of the updates may have been published.</exception>
    public Task PublishStatusUpdatesAsync(IReadOnlyList<StatusUpdate> updates, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return SendAsync(updates).WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Announces what is committed already: waits <see cref="StatusMessagingOptions.PublishTimeout"/> at most and never throws, because
    /// a caller whose update is durable has succeeded. Takes no cancellation token for the same reason. Every cursor finds in the log
    /// what was not announced.
    /// </summary>
    /// <returns>Whether Redis took all of them in time.</returns>
    public async Task<bool> TryPublishAsync(IReadOnlyList<StatusUpdate> updates)
    {
        if (updates.Count == 0)
        {
            return true;
        }

        if (await TrySendAsync(_channels.UserTemplate, () => SendAsync(updates)).ConfigureAwait(false) is not { } failure)
        {
            return true;
        }

        MessagingTelemetry.PublishFailures.Add(updates.Count, new KeyValuePair<string, object?>("error.type", failure));
        LogNotPublished(updates.Count, failure);
        return false;
    }

    /// <summary>
    /// Tells workers that a running generation was asked to stop; bounded and never throwing, as <see cref="TryPublishAsync"/>. The
    /// request itself stands in the database, where the worker's next heartbeat finds it.
    /// </summary>
    /// <returns>Whether Redis took it in time.</returns>
    public async Task<bool> TryPublishCancelRequestAsync(string generationId)
    {
        var failure = await TrySendAsync(
            _channels.NameOf(_channels.CancelRequests),
            () => redis.GetSubscriber().PublishAsync(_channels.CancelRequests, generationId)).ConfigureAwait(false);
        return failure is null;
    }

    private async Task<string?> TrySendAsync(string channel, Func<Task> send)
    {
        var what = $"PUBLISH {channel}";
        // Queueing while Redis is away would only deliver late what the sweep delivers anyway.
        if (!redis.IsConnected)
        {
            return "not_connected";
        }

        try
        {
            await send().WaitAsync(_options.PublishTimeout).ConfigureAwait(false);
            _watch.Ended(what);
            return null;
        }
        catch (TimeoutException)
        {
            return "timeout";
        }
        catch (RedisServerException e) when (StatusSubscriber.IsDenial(e))
        {
            _watch.Denied(what, e.Message);
            return "denied";
        }
        catch (Exception e)
        {
            // Whatever it is: the update is durable, and the client hands the cause of a connection's death, of any type, to all that waited.
            return e.GetType().Name;
        }
    }

    private async Task SendAsync(IReadOnlyList<StatusUpdate> updates)
    {
        var subscriber = redis.GetSubscriber();
        var sends = new Task[updates.Count * 2];
        var spans = MessagingTelemetry.Source.HasListeners() ? new Activity?[updates.Count] : null;
        try
        {
            for (var i = 0; i < updates.Count; i++)
            {
                var update = updates[i];
                var span = spans is null ? null : spans[i] = StartSpan(update);
                var payload = StatusJson.Encode(span?.Id is { } id ? update with { TraceParent = id } : update);
                payload = seal?.Seal(payload) ?? payload;
                sends[2 * i] = subscriber.PublishAsync(_channels.All, payload);
                sends[(2 * i) + 1] = subscriber.PublishAsync(_channels.User(update.UserId), payload);
            }

            await Task.WhenAll(sends).ConfigureAwait(false);
        }
        catch (Exception e) when (spans is not null)
        {
            foreach (var span in spans)
            {
                span?.SetTag("error.type", e.GetType().FullName).SetStatus(ActivityStatusCode.Error, "Redis did not take it.");
            }

            throw;
        }
        finally
        {
            // All at once, as Redis answers them: each lasts until it is known what came of it.
            foreach (var span in spans ?? [])
            {
                span?.Dispose();
            }
        }

        MessagingTelemetry.Published.Add(updates.Count);
    }

    /// <summary>Starts the span of one update, and leaves the caller's the current one.</summary>
    private Activity? StartSpan(StatusUpdate update)
    {
        var current = Activity.Current;

        // The update's own trace, not the caller's: a batch carries updates of many.
        ActivityContext.TryParse(update.TraceParent, null, isRemote: true, out var parent);
        var span = MessagingTelemetry.Source.StartActivity("publish status_update", ActivityKind.Producer, parent);
        Activity.Current = current;
        return span?.SetTag("messaging.system", "redis")
            .SetMessagingOperation("send", "publish")
            .SetTag("messaging.destination.name", _channels.UserTemplate)
            .SetTag("messaging.destination.template", _channels.UserTemplate)
            .SetTag("statusupdates.generation.id", update.GenerationId)
            .SetTag("statusupdates.status", update.Status.ToWireName());
    }

    [LoggerMessage(1001, LogLevel.Debug, "{Updates} committed updates were not announced on Redis: {Reason}")]
    private partial void LogNotPublished(int updates, string reason);
}
