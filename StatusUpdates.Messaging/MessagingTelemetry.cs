using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace StatusUpdates.Messaging;

/// <summary>Traces and metrics of this package, under the name <see cref="Name"/>.</summary>
public static class MessagingTelemetry
{
    /// <summary>Name of the activity source and of the meter.</summary>
    public const string Name = "StatusUpdates.Messaging";

    private static readonly Meter Meter = new(Name);

    internal static readonly ActivitySource Source = new(Name);

    internal static readonly Counter<long> Published = Meter.CreateCounter<long>(
        "statusupdates.publisher.updates", "{update}", "Updates handed to Redis.");

    internal static readonly Counter<long> PublishFailures = Meter.CreateCounter<long>(
        "statusupdates.publisher.failures", "{update}", "Updates that Redis did not accept in time; cursors deliver them from the log.");

    internal static readonly Counter<long> Received = Meter.CreateCounter<long>(
        "statusupdates.subscriber.updates", "{update}", "Updates received from Redis, counted once for each subscription.");

    internal static readonly Counter<long> Malformed = Meter.CreateCounter<long>(
        "statusupdates.subscriber.malformed", "{message}", "Messages that are not a status update, or not for the channel's user.");

    internal static readonly Counter<long> Unsealed = Meter.CreateCounter<long>(
        "statusupdates.subscriber.unsealed", "{update}", "Updates received without this system's tag; they are not shown until the log has been read.");

    internal static readonly Counter<long> Dropped = Meter.CreateCounter<long>(
        "statusupdates.subscriber.dropped", "{update}", "Updates dropped because a handler was too slow.");

    internal static readonly Counter<long> HandlerFailures = Meter.CreateCounter<long>(
        "statusupdates.subscriber.handler_failures", "{update}", "Updates whose handler threw.");
}
