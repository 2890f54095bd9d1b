using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace StatusUpdates.Data.Database;

/// <summary>Traces and metrics of the database access, under the name <see cref="Name"/>.</summary>
public static class DataTelemetry
{
    public const string Name = "StatusUpdates.Data";

    private static readonly Meter Meter = new(Name);

    internal static readonly ActivitySource Source = new(Name);

    internal static readonly Counter<long> Appended = Meter.CreateCounter<long>(
        "statusupdates.log.appended", "{update}", "Updates committed to the log.");

    internal static readonly Counter<long> Refused = Meter.CreateCounter<long>(
        "statusupdates.log.refused", "{update}", "Updates refused because of the lifecycle or a newer attempt.");

    internal static readonly Histogram<int> BatchSize = Meter.CreateHistogram<int>(
        "statusupdates.log.batch.size", "{update}", "Updates in one transaction.",
        advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] });

    internal static readonly Counter<long> Retries = Meter.CreateCounter<long>(
        "statusupdates.database.retries", "{retry}", "Writes that were retried.");

    internal static readonly Counter<long> Unconfirmed = Meter.CreateCounter<long>(
        "statusupdates.database.unconfirmed", "{write}", "Writes that were committed but not confirmed by a synchronous standby.");
}
