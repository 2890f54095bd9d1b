using System.Diagnostics;
using System.Diagnostics.Metrics;
using StatusUpdates.Data.Log;

namespace StatusUpdates.Data.Database;

/// <summary>Traces and metrics of the database side, by the name <see cref="Name"/>.</summary>
public static class DataTelemetry
{
    /// <summary>Name of the activity source and of the meter.</summary>
    public const string Name = "StatusUpdates.Data";

    // As many as exporters keep by default.
    private const int MaxLinks = 128;

    private static readonly Meter Meter = new(Name);

    private static readonly ActivitySource Source = new(Name);

    internal static readonly Counter<long> Appended = Meter.CreateCounter<long>(
        "statusupdates.log.appended", "{update}", "Updates committed to the log.");

    internal static readonly Counter<long> Refused = Meter.CreateCounter<long>(
        "statusupdates.log.refused", "{update}", "Updates that the lifecycle or a newer attempt refused.");

    internal static readonly Histogram<int> BatchSize = Meter.CreateHistogram<int>(
        "statusupdates.log.batch.size", "{update}", "Updates in one transaction.",
        advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] });

    internal static readonly Counter<long> Retries = Meter.CreateCounter<long>(
        "statusupdates.database.retries", "{retry}", "Writes that were tried again.");

    /// <summary>The span of a statement: a part of its update's trace when there is one update, else one of its own that links to theirs.</summary>
    internal static Activity? StartAppend(IReadOnlyList<StatusChange> changes)
    {
        if (!Source.HasListeners())
        {
            return null;
        }

        var contexts = new List<ActivityContext>();
        foreach (var change in changes)
        {
            if (contexts.Count < MaxLinks && ActivityContext.TryParse(change.TraceParent, null, isRemote: false, out var context))
            {
                contexts.Add(context);
            }
        }

        var span = changes.Count == 1
            ? Source.StartActivity("append", ActivityKind.Internal, contexts.FirstOrDefault())
            : Source.StartActivity(ActivityKind.Internal, default(ActivityContext), links: contexts.Select(context => new ActivityLink(context)), name: "append");
        return span?.SetTag("statusupdates.batch.size", changes.Count);
    }
}
