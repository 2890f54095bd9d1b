using System.Diagnostics;

namespace StatusUpdates.Messaging;

/// <summary>Updates that are being sent to Redis: each encoded, sealed, and with a span in its own trace. Not thread-safe.</summary>
internal sealed class OutgoingUpdates
{
    private readonly Activity?[]? _spans;

    /// <param name="updates">In the order in which they are sent.</param>
    /// <param name="destination">The channel's name in telemetry.</param>
    /// <param name="seal">Tags the messages; null to leave them untagged.</param>
    public OutgoingUpdates(IReadOnlyList<StatusUpdate> updates, string destination, MessageSeal? seal)
    {
        Updates = updates;
        Messages = new byte[updates.Count][];
        _spans = MessagingTelemetry.Source.HasListeners() ? new Activity?[updates.Count] : null;
        for (var i = 0; i < updates.Count; i++)
        {
            var update = updates[i];
            var span = _spans is null ? null : _spans[i] = StartSpan(update, destination);
            var message = StatusJson.Encode(span?.Id is { } id ? update with { TraceParent = id } : update);
            Messages[i] = seal?.Seal(message) ?? message;
        }
    }

    public IReadOnlyList<StatusUpdate> Updates { get; }

    /// <summary>The encoded messages, one for each update.</summary>
    public byte[][] Messages { get; }

    /// <summary>Records the outcome, which is one for all of them.</summary>
    /// <param name="errorType">Why not all were accepted; null if all were.</param>
    public void End(string? errorType)
    {
        if (errorType is null)
        {
            MessagingTelemetry.Published.Add(Messages.Length);
        }

        foreach (var span in _spans ?? [])
        {
            if (errorType is not null)
            {
                span?.SetTag("error.type", errorType).SetStatus(ActivityStatusCode.Error, "Redis did not accept it.");
            }

            span?.Dispose();
        }
    }

    /// <summary>Starts the span of one update without making it the current one.</summary>
    private static Activity? StartSpan(StatusUpdate update, string destination)
    {
        var current = Activity.Current;

        // In the update's own trace, not the caller's: a batch has updates from many traces.
        ActivityContext.TryParse(update.TraceParent, null, isRemote: true, out var parent);
        var span = MessagingTelemetry.Source.StartActivity("publish status_update", ActivityKind.Producer, parent);
        Activity.Current = current;
        return span?.SetTag("messaging.system", "redis")
            .SetMessagingOperation("send", "publish")
            .SetTag("messaging.destination.name", destination)
            .SetTag("messaging.destination.template", destination)
            .SetTag("statusupdates.generation.id", update.GenerationId)
            .SetTag("statusupdates.status", update.Status.ToWireName());
    }
}
