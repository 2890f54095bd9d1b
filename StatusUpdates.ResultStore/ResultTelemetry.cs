using System.Diagnostics.Metrics;

namespace StatusUpdates.ResultStore;

/// <summary>Metrics of stored results.</summary>
internal static class ResultTelemetry
{
    public const string Name = "StatusUpdates.Results";

    private static readonly Meter Meter = new(Name);

    private static readonly Histogram<long> Sizes = Meter.CreateHistogram<long>(
        "statusupdates.results.size", "By", "Sizes of stored results.",
        advice: new InstrumentAdvice<long> { HistogramBucketBoundaries = [1024, 16384, 262144, 1048576, 4194304, 16777216, 67108864, 268435456, 1073741824] });

    private static readonly Counter<long> Removals = Meter.CreateCounter<long>(
        "statusupdates.results.removals", "{content}", "Contents of deleted results, removed from their store or not.");

    /// <param name="place">Where the content is: <c>row</c>, or the kind of the content store.</param>
    /// <param name="bytes">Its size.</param>
    public static void Stored(string place, long bytes) => Sizes.Record(bytes, new KeyValuePair<string, object?>("statusupdates.results.place", place));

    public static void Removed(int count, int failed)
    {
        Removals.Add(count, new KeyValuePair<string, object?>("statusupdates.outcome", "removed"));
        Removals.Add(failed, new KeyValuePair<string, object?>("statusupdates.outcome", "failed"));
    }
}
