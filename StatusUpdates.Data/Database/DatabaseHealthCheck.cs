using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>Asks the database for nothing, by the pool that everything else uses, and once: a repetition would only delay a bad answer.</summary>
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
