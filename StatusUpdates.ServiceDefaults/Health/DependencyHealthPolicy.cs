using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace StatusUpdates.ServiceDefaults.Health;

/// <summary>
/// What the health of a dependency means here, whoever registered its check: an Aspire client integration or a service.
/// Redis only makes the system fast, so its check degrades and never fails; everything else fails. Each check is bounded in time, and
/// at most one run of it is under way, however often a health endpoint is asked: these endpoints are open to everybody.
/// </summary>
internal sealed class DependencyHealthPolicy : IPostConfigureOptions<HealthCheckServiceOptions>
{
    private static readonly TimeSpan RedisTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(3);

    public void PostConfigure(string? name, HealthCheckServiceOptions options)
    {
        foreach (var registration in options.Registrations)
        {
            if (registration.Tags.Contains(HealthDefaults.LiveTag))
            {
                continue;
            }

            var isRedis = IsRedis(registration);
            if (isRedis)
            {
                registration.FailureStatus = HealthStatus.Degraded;
            }

            var check = new SharedHealthCheck(registration.Factory, isRedis ? RedisTimeout : DefaultTimeout);
            registration.Factory = check.Bind;
        }
    }

    // Aspire's integration calls its check "StackExchange.Redis" (keyed clients: "StackExchange.Redis_<name>") and gives it no tag;
    // the health-check library's own default name and customary tag is "redis".
    private static bool IsRedis(HealthCheckRegistration registration) =>
        registration.Name.Contains("redis", StringComparison.OrdinalIgnoreCase)
        || registration.Tags.Contains("redis", StringComparer.OrdinalIgnoreCase);
}
