using System.Diagnostics;
using System.Diagnostics.Metrics;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;

namespace StatusUpdates.Worker.Jobs;

/// <summary>Traces and metrics of the worker, under the name <see cref="Name"/>. Ids go into spans, never into metrics.</summary>
internal static class WorkerTelemetry
{
    public const string Name = "StatusUpdates.Worker";

    private const string Task = "statusupdates.task";
    private const string Outcome = "statusupdates.outcome";

    private static readonly ActivitySource Source = new(Name);
    private static readonly Meter Meter = new(Name);

    private static readonly Counter<long> Claims = Meter.CreateCounter<long>(
        "statusupdates.worker.claims", "{generation}", "Generations that this worker claimed.");

    private static readonly UpDownCounter<long> Running = Meter.CreateUpDownCounter<long>(
        "statusupdates.worker.jobs.running", "{generation}", "Generations that run on this worker.");

    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>(
        "statusupdates.worker.job.duration", "s", "Time from claim to outcome of one attempt.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900] });

    private static readonly Counter<long> LeasesLost = Meter.CreateCounter<long>(
        "statusupdates.worker.leases.lost", "{lease}", "Attempts that were stopped because another one had begun.");

    private static readonly Counter<long> HandBacks = Meter.CreateCounter<long>(
        "statusupdates.worker.handbacks", "{generation}", "Generations that went back to the queue without counting as a failure.");

    private static readonly Counter<long> Abandoned = Meter.CreateCounter<long>(
        "statusupdates.worker.jobs.left_behind", "{generation}", "Providers that did not return when stopped.");

    /// <summary>The span of one attempt, in the trace of the submission. Null if nothing listens.</summary>
    public static Activity? StartJob(ClaimedGeneration generation)
    {
        ActivityContext.TryParse(generation.TraceParent, null, isRemote: true, out var parent);
        return Source.StartActivity($"process {generation.Task}", ActivityKind.Consumer, parent)?
            .SetTag("messaging.system", "postgresql")
            .SetMessagingOperation("process", "process")
            .SetTag("messaging.destination.name", "generations")
            .SetTag(Task, generation.Task)
            .SetTag("statusupdates.generation.id", generation.Id)
            .SetTag("statusupdates.attempt", generation.Attempt);
    }

    /// <summary>Records a failed heartbeat.</summary>
    public static void HeartbeatFailed(DateTimeOffset startedAt, DateTimeOffset now, Exception failure) =>
        BackgroundSpans.RecordFailure(Source, "extend leases", startedAt, now, failure);

    public static void CountClaim(ClaimedGeneration generation) => Claims.Add(1, Tag(generation));

    public static void JobStarted(ClaimedGeneration generation) => Running.Add(1, Tag(generation));

    public static void JobEnded(ClaimedGeneration generation, JobOutcome outcome, TimeSpan duration)
    {
        var name = outcome.ToString().ToLowerInvariant();
        Running.Add(-1, Tag(generation));
        Duration.Record(duration.TotalSeconds, Tag(generation), new KeyValuePair<string, object?>(Outcome, name));
        Activity.Current?.SetTag(Outcome, name);
    }

    public static void CountLostLease() => LeasesLost.Add(1);

    public static void CountHandBack() => HandBacks.Add(1);

    public static void CountAbandoned(ClaimedGeneration generation) => Abandoned.Add(1, Tag(generation));

    private static KeyValuePair<string, object?> Tag(ClaimedGeneration generation) => new(Task, generation.Task);
}
