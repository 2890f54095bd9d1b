using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace StatusUpdates.ServiceDefaults.Health;

/// <summary>
/// What the health of a dependency means for a service, whether an Aspire client integration or the service registered the check.
/// Redis only makes the system fast, so a failed Redis check degrades the service; any other failed check makes it unhealthy. Each check has a time
/// limit and at most one run at a time, however often a health endpoint is called: these endpoints are open to everyone.
/// </summary>
internal sealed class DependencyHealthPolicy(IServiceScopeFactory scopes) : IPostConfigureOptions<HealthCheckServiceOptions>
{
    private static readonly TimeSpan RedisTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(3);

    public void PostConfigure(string? name, HealthCheckServiceOptions options)
    {
        foreach (var registration in options.Registrations.Where(check => !check.Tags.Contains(HealthDefaults.LiveTag)))
        {
            var isRedis = IsRedis(registration);
            if (isRedis)
            {
                registration.FailureStatus = HealthStatus.Degraded;
            }

            var factory = registration.Factory;
            var check = new SharedHealthCheck(
                isRedis ? services => new RequireConnection(services, factory) : factory, isRedis ? RedisTimeout : DefaultTimeout, scopes);
            registration.Factory = _ => check;
        }
    }

    // Aspire's integration calls its check "StackExchange.Redis" (keyed clients: "StackExchange.Redis_<name>") and gives it no tag;
    // the health-check library's own default name and customary tag is "redis".
    private static bool IsRedis(HealthCheckRegistration registration) =>
        registration.Name.Contains("redis", StringComparison.OrdinalIgnoreCase)
        || registration.Tags.Contains("redis", StringComparer.OrdinalIgnoreCase);

    /// <summary>A ping would wait in the backlog of a Redis client that is not connected, for longer than a probe's usual second.</summary>
    private sealed class RequireConnection(IServiceProvider services, Func<IServiceProvider, IHealthCheck> factory) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            services.GetService<IConnectionMultiplexer>() is { IsConnected: false }
                ? Task.FromResult(new HealthCheckResult(context.Registration.FailureStatus, "Not connected."))
                : factory(services).CheckHealthAsync(context, cancellationToken);
    }
}
