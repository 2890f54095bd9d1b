using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Brings the schema up to date before anything else of the host starts, and refuses a database that acknowledges commits it may lose.
/// Of several instances that start at once, one applies and the others wait for it.
/// </summary>
internal sealed partial class DatabaseMigrator(
    StatusDatabase database, StatusDatabaseOptions options, TimeProvider time, ILogger<DatabaseMigrator> logger) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await MigrateAsync(cancellationToken);
                return;
            }
            catch (NpgsqlException e) when (e.IsTransient && time.GetElapsedTime(started) < options.StartupTimeout)
            {
                LogWaiting(e.Message);
                await Task.Delay(StatusDatabase.BackOff(attempt + 5), time, cancellationToken);
            }
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    internal async Task MigrateAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenSessionAsync(cancellationToken);
        await CheckDurabilityAsync(connection, cancellationToken);

        // A session's lock: gone with the session, whatever becomes of this process. The wait for it, and migrations, take as long as they take.
        await ExecuteAsync(
            connection, $"SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock({SessionLock.Migrations})", cancellationToken);
        try
        {
            var builder = new DbContextOptionsBuilder<StatusDbContext>();
            builder.UseNpgsql(connection, npgsql => npgsql.CommandTimeout(0)).UseSnakeCaseNamingConvention();
            await using var context = new StatusDbContext(builder.Options);

            // Made first: to look into a history that is not there would leave an error in the server's log at every first start.
            await context.GetService<IHistoryRepository>().CreateIfNotExistsAsync(cancellationToken);
            var pending = (await context.Database.GetPendingMigrationsAsync(cancellationToken)).Count();
            if (pending > 0)
            {
                var watch = Stopwatch.StartNew();
                await context.Database.MigrateAsync(cancellationToken);
                LogMigrated(pending, watch.Elapsed);
            }
        }
        finally
        {
            // Its session ends here, and with it the lock: but only when the server has noticed. Clean-up goes on without the token.
            if (connection.State == System.Data.ConnectionState.Open)
            {
                await ExecuteAsync(connection, $"SELECT pg_advisory_unlock({SessionLock.Migrations})", CancellationToken.None);
            }
        }
    }

    private static async Task CheckDurabilityAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SHOW synchronous_commit", connection);
        if (await command.ExecuteScalarAsync(cancellationToken) is "off")
        {
            throw new InvalidOperationException(
                "The database has synchronous_commit = off: it would lose updates that clients have seen. " +
                "Set it to on, local, remote_write or remote_apply for this database or role.");
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    [LoggerMessage(2001, LogLevel.Warning, "The database is not ready yet: {Reason}")]
    private partial void LogWaiting(string reason);

    [LoggerMessage(2002, LogLevel.Information, "Migrations applied: {Count}, in {Elapsed}")]
    private partial void LogMigrated(int count, TimeSpan elapsed);
}
