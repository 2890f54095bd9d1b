using System.Diagnostics.Metrics;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Data.Cursors;

/// <summary>Metrics of durable cursors, in the meter <see cref="DataTelemetry.Name"/>.</summary>
internal static class CursorTelemetry
{
    private static readonly Meter Meter = new(DataTelemetry.Name);

    private static readonly Counter<long> Claims = Meter.CreateCounter<long>(
        "statusupdates.cursors.claims", "{cursor}", "Durable cursors that were claimed because they had something to do.");

    private static readonly Counter<long> Losses = Meter.CreateCounter<long>(
        "statusupdates.cursors.lost", "{cursor}", "Claimed cursors that another holder took, or that were deleted or paused.");

    private static readonly Counter<long> Failures = Meter.CreateCounter<long>(
        "statusupdates.cursors.failures", "{run}", "Runs that ended with an error and are repeated.");

    public static void Claimed(string kind, int count) => Claims.Add(count, Of(kind));

    public static void Lost(string kind) => Losses.Add(1, Of(kind));

    public static void Failed(string kind) => Failures.Add(1, Of(kind));

    private static KeyValuePair<string, object?> Of(string kind) => new("statusupdates.cursor.kind", kind);
}
