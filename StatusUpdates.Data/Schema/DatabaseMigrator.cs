using System.Diagnostics;
using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Schema;

/// <summary>
/// Creates the database if it is missing and migrates the schema, before anything else in the host starts, and refuses a database that
/// acknowledges commits it may lose. Of several instances that start at once, one migrates and the others wait for it.
/// </summary>
internal sealed partial class DatabaseMigrator(
    StatusDatabase database, StatusDatabaseOptions options, TimeProvider time, ILogger<DatabaseMigrator> logger) : IHostedLifecycleService
{
    private static readonly Backoff StartupBackoff = new(TimeSpan.FromMilliseconds(160), TimeSpan.FromSeconds(1));

    private static readonly string[] KnownMigrations =
        [.. typeof(StatusDbContext).Assembly.GetTypes().Select(type => type.GetCustomAttribute<MigrationAttribute>()?.Id).OfType<string>()];

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        for (var failures = 0; ;)
        {
            try
            {
                await MigrateAsync(cancellationToken);
                return;
            }
            catch (Exception e) when (IsNotReady(e) && time.GetElapsedTime(started) < options.StartupTimeout)
            {
                LogWaiting(e.Message);
                await Task.Delay(StartupBackoff.After(++failures), time, cancellationToken);
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

        // A session lock is released with the session, even if this process dies. Waiting for it, and migrating, may take any time.
        await using var wait = new NpgsqlCommand($"SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock({SessionLock.Migrations})", connection);
        wait.CommandTimeout = 0;
        await wait.ExecuteNonQueryAsync(cancellationToken);
        await using var held = new SessionLock(connection, SessionLock.Migrations);
        try
        {
            var builder = new DbContextOptionsBuilder<StatusDbContext>();
            builder.UseNpgsql(connection, npgsql => npgsql.CommandTimeout(0)).UseSnakeCaseNamingConvention();
            await using var context = new StatusDbContext(builder.Options);

            // Created first: querying a history table that does not exist would log an error on the server at every first start.
            await context.GetService<IHistoryRepository>().CreateIfNotExistsAsync(cancellationToken);
            var applied = (await context.Database.GetAppliedMigrationsAsync(cancellationToken)).ToList();
            if (applied.Count > 0 && !applied.Contains(KnownMigrations.Min()!))
            {
                throw new InvalidOperationException(
                    $"{database.Description} was created by a version before the first release ({applied[0]}) and cannot be migrated. "
                    + "Drop the database; in development, delete the folder .local.");
            }

            var pending = KnownMigrations.Length - applied.Intersect(KnownMigrations).Count();
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
                $"{database.Description} could not be migrated by the role \"{connection.UserName}\", which must own its tables and be allowed "
                + $"to create more: {refusal.SqlState}: {refusal.MessageText}",
                refusal);
        }
    }

    // True for nearly every start. Asking EF Core instead would double the time of a start.
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
        applied.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = KnownMigrations });
        return await applied.ExecuteScalarAsync(cancellationToken) is long count && count == KnownMigrations.Length;
    }

    private static bool IsNotReady(Exception e) =>
        e is DatabaseMissingException || DatabaseErrors.KindOf(e) is DatabaseErrorKind.Away or DatabaseErrorKind.Contention;

    private static PostgresException? FindRefusal(Exception exception)
    {
        if (DatabaseErrors.KindOf(exception) is DatabaseErrorKind.Away or DatabaseErrorKind.Contention)
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

    [LoggerMessage(2001, LogLevel.Warning, "The database is not ready yet: {Reason}")]
    private partial void LogWaiting(string reason);

    [LoggerMessage(2002, LogLevel.Information, "Migrations applied: {Count}, in {Elapsed}")]
    private partial void LogMigrated(int count, TimeSpan elapsed);

    [LoggerMessage(2003, LogLevel.Information, "Database {Name} created")]
    private partial void LogCreated(string name);
}
