using System.Diagnostics;
using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Creates the database where there is none and brings the schema up to date, before anything else of the host starts, and refuses a database
/// that acknowledges commits it may lose. Of several instances that start at once, one applies and the others wait for it.
/// </summary>
internal sealed partial class DatabaseMigrator(
    StatusDatabase database, StatusDatabaseOptions options, TimeProvider time, ILogger<DatabaseMigrator> logger) : IHostedLifecycleService
{
    private static readonly string[] Known =
        [.. typeof(StatusDbContext).Assembly.GetTypes().Select(type => type.GetCustomAttribute<MigrationAttribute>()?.Id).OfType<string>()];

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
            catch (Exception e) when (IsNotReady(e) && time.GetElapsedTime(started) < options.StartupTimeout)
            {
                LogWaiting(e.Message);
                await Task.Delay(StatusDatabase.BackOff(attempt + 5), time, cancellationToken);
            }
            catch (Exception e) when (IsNotReady(e))
            {
                throw new InvalidOperationException(
                    $"{database.Description} was not ready within {StatusDatabaseOptions.SectionName}:{nameof(options.StartupTimeout)} ({options.StartupTimeout}).", e);
            }
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <exception cref="InvalidOperationException">The database cannot be used as it is: the message says what to do.</exception>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    internal async Task MigrateAsync(CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await SessionChecks.RunAsync(database, connection, cancellationToken);
        if (await IsUpToDateAsync(connection, cancellationToken))
        {
            return;
        }

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
        catch (Exception e) when (FindRefusal(e) is { } refusal)
        {
            throw new InvalidOperationException(
                $"{database.Description} could not be brought up to date by the role \"{connection.UserName}\", which needs to own its tables and to be "
                + $"allowed to create more: {refusal.SqlState}: {refusal.MessageText}",
                refusal);
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

    // Nearly every start finds it so. EF Core, which says the same, takes as much time to get ready for it as all the rest of a start.
    private static async Task<bool> IsUpToDateAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        const string History = $"\"{HistoryRepository.DefaultTableName}\"";
        await using (var exists = new NpgsqlCommand($"SELECT to_regclass('{History}') IS NOT NULL", connection))
        {
            if (await exists.ExecuteScalarAsync(cancellationToken) is not true)
            {
                return false;
            }
        }

        await using var applied = new NpgsqlCommand($"SELECT count(*) FROM {History} WHERE migration_id = ANY ($1)", connection);
        applied.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = Known });
        return await applied.ExecuteScalarAsync(cancellationToken) is long count && count == Known.Length;
    }

    private static bool IsNotReady(Exception e) =>
        e is DatabaseMissingException || DatabaseErrors.KindOf(e) is DatabaseErrorKind.Away or DatabaseErrorKind.InTheWay;

    private static PostgresException? FindRefusal(Exception exception)
    {
        if (DatabaseErrors.KindOf(exception) is DatabaseErrorKind.Away or DatabaseErrorKind.InTheWay)
        {
            return null;
        }

        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (e is PostgresException refusal)
            {
                return refusal;
            }
        }

        return null;
    }

    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await OpenOrCreateAsync(cancellationToken);
        }
        catch (PostgresException e) when (SessionChecks.ExplainRefusal(database, e) is { } reason)
        {
            throw new InvalidOperationException(reason);
        }
        catch (PostgresException e) when (FindRefusal(e) is not null)
        {
            throw new InvalidOperationException($"{database.Description} cannot be opened: {e.SqlState}: {e.MessageText}", e);
        }
    }

    private async Task<NpgsqlConnection> OpenOrCreateAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await database.OpenSessionAsync(cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidCatalogName)
        {
            if (await DatabaseCreation.CreateAsync(database, cancellationToken) is { } name)
            {
                LogCreated(name);
            }

            return await database.OpenSessionAsync(cancellationToken);
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

    [LoggerMessage(2003, LogLevel.Information, "Database {Name} created")]
    private partial void LogCreated(string name);
}
