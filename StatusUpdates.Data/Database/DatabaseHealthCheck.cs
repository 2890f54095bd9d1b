using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>Executes an empty query through the pool that everything else uses, and only once: a retry would delay a bad result.</summary>
internal sealed class DatabaseHealthCheck(StatusDatabase database) : IHealthCheck
{
    public const string Name = "PostgreSQL";

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await using var command = database.DataSource.CreateCommand("-- check\nSELECT 1");
            await command.ExecuteScalarAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (NpgsqlException e)
        {
            return new(context.Registration.FailureStatus, "The database does not answer.", e);
        }
    }
}
