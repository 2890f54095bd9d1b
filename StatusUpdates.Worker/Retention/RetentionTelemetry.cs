using System.Diagnostics;
using System.Diagnostics.Metrics;
using StatusUpdates.Data.Database;
using StatusUpdates.Worker.Jobs;

namespace StatusUpdates.Worker.Retention;

/// <summary>Metrics and spans of retention, under the name <see cref="WorkerTelemetry.Name"/>.</summary>
internal static class RetentionTelemetry
{
    private const string PassName = "remove what is old";

    private static readonly Meter Meter = new(WorkerTelemetry.Name);

    private static readonly ActivitySource Source = new(WorkerTelemetry.Name);

    private static readonly Counter<long> Generations = Meter.CreateCounter<long>(
        "statusupdates.retention.generations", "{generation}", "Generations that were deleted because they were old.");

    private static readonly Counter<long> Updates = Meter.CreateCounter<long>(
        "statusupdates.retention.updates", "{update}", "Updates that were removed from their users' logs because they were old.");

    private static readonly Counter<long> Deliveries = Meter.CreateCounter<long>(
        "statusupdates.retention.deliveries", "{delivery}", "Deliveries to webhooks that were deleted because they were old.");

    private static readonly Histogram<double> Batch = Meter.CreateHistogram<double>(
        "statusupdates.retention.batch.duration", "s", "Time of one retention statement, with its commit.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5] });

    private static readonly Histogram<double> Pass = Meter.CreateHistogram<double>(
        "statusupdates.retention.pass.duration", "s", "Time of one whole pass, with its pauses.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600] });

    public static void GenerationsDeleted(int count) => Generations.Add(count);

    public static void UpdatesRemoved(long count) => Updates.Add(count);

    public static void DeliveriesDeleted(int count) => Deliveries.Add(count);

    public static void BatchEnded(TimeSpan duration) => Batch.Record(duration.TotalSeconds);

    /// <summary>A pass that removed nothing is measured, but makes no trace.</summary>
    public static void PassEnded(Removed removed, DateTimeOffset startedAt, DateTimeOffset now)
    {
        Pass.Record(removed.Duration.TotalSeconds);
        if (removed.IsNothing)
        {
            return;
        }

        using var span = Source.StartActivity(PassName, ActivityKind.Internal, default(ActivityContext), startTime: startedAt);
        span?.SetTag("statusupdates.retention.generations", removed.Generations)
            .SetTag("statusupdates.retention.contents", removed.Contents)
            .SetTag("statusupdates.retention.updates", removed.Updates)
            .SetTag("statusupdates.retention.deliveries", removed.Deliveries)
            .SetEndTime(now.UtcDateTime);
    }

    public static void PassFailed(DateTimeOffset startedAt, DateTimeOffset now, Exception failure) =>
        BackgroundSpans.RecordFailure(Source, PassName, startedAt, now, failure);
}
