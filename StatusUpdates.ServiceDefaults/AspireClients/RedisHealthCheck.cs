using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace StatusUpdates.ServiceDefaults.AspireClients;

internal sealed class RedisHealthCheck(IConnectionMultiplexer redis) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        // A PING to a client that is not connected would wait in its backlog.
        if (!redis.IsConnected)
        {
            return new(context.Registration.FailureStatus, "Not connected.");
        }

        await redis.GetDatabase().PingAsync().WaitAsync(cancellationToken);
        return HealthCheckResult.Healthy();
    }
}
