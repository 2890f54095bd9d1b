using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace StatusUpdates.ServiceDefaults.AspireClients;

internal sealed class DbContextHealthCheck<TContext>(TContext database) : IHealthCheck
    where TContext : DbContext
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        await database.Database.CanConnectAsync(cancellationToken)
            ? HealthCheckResult.Healthy()
            : new(context.Registration.FailureStatus, "The database does not answer.");
}
