using System.Diagnostics;
using System.Diagnostics.Metrics;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>All metrics and spans of feeds and transports, under <see cref="Name"/>. User and generation ids are never metric attributes.</summary>
internal sealed class FeedMetrics
{
    /// <summary>The name of the meter and of the activity source.</summary>
    public const string Name = "StatusUpdates.Api.Feeds";

    private const string TransportAttribute = "statusupdates.transport";

    private static readonly ActivitySource Source = new(Name);

    private readonly UpDownCounter<long> _connections;
    private readonly UpDownCounter<long> _feeds;
    private readonly Counter<long> _deliveries;
    private readonly Counter<long> _replays;
    private readonly Counter<long> _gaps;
    private readonly Counter<long> _resyncs;
    private readonly Counter<long> _slowAborts;
    private readonly Counter<long> _deadPeers;
    private readonly Counter<long> _streamsRefused;
    private readonly Histogram<double> _latency;

    public FeedMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(Name);
        _connections = meter.CreateUpDownCounter<long>(
            "statusupdates.connections", "{connection}", "Connections that follow a user's updates.");
        _feeds = meter.CreateUpDownCounter<long>("statusupdates.feeds", "{feed}", "Users whose feed is open on this instance.");
        _deliveries = meter.CreateCounter<long>("statusupdates.deliveries", "{update}", "Updates handed to connections.");
        _replays = meter.CreateCounter<long>("statusupdates.replays", "{page}", "Pages of the log read for connections that were behind.");
        _gaps = meter.CreateCounter<long>("statusupdates.gaps.repaired", "{gap}", "Gaps in the hints from Redis, repaired from the log.");
        _resyncs = meter.CreateCounter<long>("statusupdates.resyncs", "{resync}", "Cursors that the log could not continue from their position.");
        _slowAborts = meter.CreateCounter<long>("statusupdates.aborts.slow", "{connection}", "Aborted connections whose peer accepted no data.");
        _deadPeers = meter.CreateCounter<long>("statusupdates.aborts.dead", "{connection}", "Aborted connections whose peer was silent.");
        _streamsRefused = meter.CreateCounter<long>(
            "statusupdates.streams.refused", "{request}", "Event streams refused with the event \"unavailable\", by the problem's code.");
        _latency = meter.CreateHistogram<double>(
            "statusupdates.delivery.duration",
            "s",
            "From the commit of a live update to its send.",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
            });
    }

    public void Connected(string transport) => _connections.Add(1, Tag(transport));

    public void Disconnected(string transport) => _connections.Add(-1, Tag(transport));

    public void FeedOpened() => _feeds.Add(1);

    public void FeedClosed() => _feeds.Add(-1);

    public void Replayed() => _replays.Add(1);

    public void GapRepaired() => _gaps.Add(1);

    public void Resynced() => _resyncs.Add(1);

    public void SlowAborted(string transport) => _slowAborts.Add(1, Tag(transport));

    public void DeadAborted(string transport) => _deadPeers.Add(1, Tag(transport));

    /// <summary>A stream was refused with an <c>unavailable</c> event, so its HTTP status is 200.</summary>
    public void StreamRefused(string code) => _streamsRefused.Add(1, new KeyValuePair<string, object?>("error.type", code));

    /// <summary>Counts frames that a transport has handed to the network, and records latency and spans of live ones.</summary>
    public void Delivered(ReadOnlySpan<Frame> frames, bool live, string transport, DateTimeOffset startedAt, DateTimeOffset now)
    {
        _deliveries.Add(frames.Length, Tag(transport));
        if (!live)
        {
            return;
        }

        if (_latency.Enabled)
        {
            var sentAt = now.ToUnixTimeMilliseconds();
            foreach (var frame in frames)
            {
                _latency.Record(Math.Max(0, sentAt - frame.Timestamp) / 1000d, Tag(transport));
            }
        }

        if (Source.HasListeners())
        {
            foreach (var frame in frames)
            {
                Trace(frame, transport, startedAt, now);
            }
        }
    }

    /// <summary>Records a failed sweep; successful ones are not traced.</summary>
    public static void SweepFailed(DateTimeOffset startedAt, DateTimeOffset now, Exception failure) =>
        BackgroundSpans.RecordFailure(Source, "sweep feeds", startedAt, now, failure);

    private static void Trace(Frame frame, string transport, DateTimeOffset startedAt, DateTimeOffset now)
    {
        // Once per update, not per connection of the user: a span costs more than the delivery itself.
        if (!frame.TryBeginTrace())
        {
            return;
        }

        using var activity = Source.StartActivity("send status_update", ActivityKind.Producer, frame.Trace, startTime: startedAt);
        activity?.SetTag("messaging.system", "statusupdates")
            .SetMessagingOperation("send", "send")
            .SetTag("messaging.destination.name", "status_update")
            .SetTag("statusupdates.generation.id", frame.GenerationId)
            .SetTag("statusupdates.status", frame.Status.ToWireName())
            .SetTag(TransportAttribute, transport)
            .SetEndTime(now.UtcDateTime);
    }

    private static KeyValuePair<string, object?> Tag(string transport) => new(TransportAttribute, transport);
}
