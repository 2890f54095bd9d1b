using System.Diagnostics.Metrics;

namespace StatusUpdates.Api.RateLimiting;

internal static class RateLimitTelemetry
{
    private static readonly Meter Meter = new("StatusUpdates.Api.RateLimiting");

    public static readonly Counter<long> Rejected = Meter.CreateCounter<long>(
        "statusupdates.ratelimit.rejections", "{request}", "Requests answered with 429, by policy.");
}
