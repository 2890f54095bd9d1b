using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using StatusUpdates.Api.Errors;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Data;

/// <summary>Which errors mean "away" and which "refused": every SQLSTATE as a server reports it, and the real situations that cause them.</summary>
public sealed class DatabaseErrorsTests(TestServers servers)
{
    private static readonly string[] Transient = ["08006", "25006", "25P03", "25P04", "3D000", "3F000", "42P01", "40001", "40P01", "53100", "53200", "53300",
        "55000", "55006", "55P03", "57014", "57P01", "57P02", "57P03", "57P04", "57P05", "58030"];

    private static CancellationToken Token => TestTime.Token;

    public static TheoryData<string, bool, bool> States()
    {
        var data = new TheoryData<string, bool, bool>();
        foreach (var state in Transient)
        {
            data.Add(state, true, true);
        }

        // Denied: waited for while a service runs, but reported when it starts.
        data.Add("28P01", true, false);
        data.Add("28000", true, false);
        data.Add("42501", true, false);
        foreach (var refused in (string[])["22001", "22P02", "23502", "23503", "42601", "42703", "54000", "0A000", "P0001", "XX000"])
        {
            data.Add(refused, false, false);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(States))]
    public async Task A_SQLSTATE_means_the_same_to_a_write_a_request_and_a_start(string state, bool mayPass, bool isWaitedForAtStart)
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await using var database = new StatusDatabase(db.ConnectionString, new StatusDatabaseOptions { RetryFor = TimeSpan.FromMinutes(1) });
        var tries = 0;

        async Task<int> WriteAsync(CancellationToken token)
        {
            if (++tries == 1)
            {
                await using var command = database.DataSource.CreateCommand($"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$");
                await command.ExecuteNonQueryAsync(token);
            }

            return tries;
        }

        if (mayPass)
        {
            Assert.Equal(2, await database.RetryAsync(WriteAsync, Token));
        }
        else
        {
            Assert.Equal(state, (await Assert.ThrowsAsync<PostgresException>(() => database.RetryAsync(WriteAsync, Token))).SqlState);
        }

        var error = new PostgresException("no", "ERROR", "ERROR", state);
        Assert.Equal(mayPass, DatabaseErrors.IsTransient(error));
        Assert.Equal(mayPass, DatabaseErrors.IsTransient(new InvalidOperationException("Wrapped, as by EF Core.", error)));
        Assert.Equal(mayPass, DatabaseFailures.IsUnavailable(error));
        Assert.Equal(isWaitedForAtStart, DatabaseErrors.KindOf(error) is DatabaseErrorKind.Away or DatabaseErrorKind.Contention);
    }

    [Fact]
    public async Task A_request_that_cannot_be_served_now_gets_503_with_the_time_to_wait()
    {
        var context = new DefaultHttpContext();

        await DatabaseFailures.Problem.ExecuteAsync(context);

        Assert.Equal(StatusCodes.Status503ServiceUnavailable, context.Response.StatusCode);
        Assert.Equal("2", context.Response.Headers.RetryAfter);
    }

    [Fact]
    public async Task A_read_only_primary_is_waited_for()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var submitted = await db.SubmitAsync("u", cancellationToken: Token);
        await SetReadOnlyAsync(db, true);
        await using var database = new StatusDatabase(db.ConnectionString);
        await using var log = new StatusLog(database);
        var isRefused = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var meters = new MeterListener();
        meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == "statusupdates.database.retries")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        meters.SetMeasurementEventCallback<long>((_, _, tags, _) =>
        {
            if (tags.ToArray().Any(tag => tag.Value is PostgresErrorCodes.ReadOnlySqlTransaction))
            {
                isRefused.TrySetResult();
            }
        });
        meters.Start();
        var append = log.AppendAsync(
            new StatusChange { GenerationId = submitted.Generation!.Id, Status = GenerationStatus.Canceled }, Token);
        await isRefused.Task.WaitAsync(TestTime.Patience, Token);
        Assert.False(append.IsCompleted);
        await SetReadOnlyAsync(db, false);

        Assert.True((await append).IsCommitted);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_list_of_hosts_without_a_primary_counts_as_away(bool isOtherUp)
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await SetReadOnlyAsync(db, true);
        var hosts = new NpgsqlConnectionStringBuilder(db.ConnectionString) { TargetSessionAttributes = "read-write" };
        hosts.Host = $"{hosts.Host}:{hosts.Port},127.0.0.1:{(isOtherUp ? hosts.Port : LoopbackPort.FindFree())}";
        await using var database = new StatusDatabase(hosts.ConnectionString);

        var error = await Assert.ThrowsAnyAsync<NpgsqlException>(() => database.OpenSessionAsync(Token));

        Assert.Equal(DatabaseErrorKind.Away, DatabaseErrors.KindOf(error));
    }

    [Fact]
    public async Task Too_many_connections_count_as_away()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var role = $"r{Guid.NewGuid():N}";
        await db.ExecuteAsync($"CREATE ROLE {role} LOGIN PASSWORD 'a-password' CONNECTION LIMIT 0", Token);
        await using var crowded = new StatusDatabase(
            new NpgsqlConnectionStringBuilder(db.ConnectionString) { Username = role, Password = "a-password" }.ConnectionString);

        var error = await Assert.ThrowsAnyAsync<NpgsqlException>(() => crowded.OpenSessionAsync(Token));

        Assert.Equal("53300", error.SqlState);
        Assert.Equal(DatabaseErrorKind.Away, DatabaseErrors.KindOf(error));
    }

    [Fact]
    public async Task A_migration_whose_session_is_terminated_starts_again()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await db.ExecuteAsync("DROP SCHEMA public CASCADE; CREATE SCHEMA public", Token);
        await using var database = new StatusDatabase(db.ConnectionString);
        var migrator = new DatabaseMigrator(database, new StatusDatabaseOptions(), TimeProvider.System, NullLogger<DatabaseMigrator>.Instance);

        // The history table exists and is locked by another session, so the migration's own statement waits in the middle of EF Core's work.
        await db.ExecuteAsync("""CREATE TABLE "__EFMigrationsHistory" (migration_id varchar(150) PRIMARY KEY, product_version varchar(32) NOT NULL)""", Token);
        Task starting;
        await using (var blocker = await db.DataSource.OpenConnectionAsync(Token))
        await using (var held = await blocker.BeginTransactionAsync(Token))
        {
            await using (var command = new NpgsqlCommand("""LOCK TABLE "__EFMigrationsHistory" IN SHARE MODE""", blocker))
            {
                await command.ExecuteNonQueryAsync(Token);
            }

            starting = migrator.StartingAsync(Token);
            const string Waiting = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'relation'";
            await db.UntilAsync($"SELECT EXISTS (SELECT {Waiting})");
            await db.ExecuteAsync($"SELECT pg_terminate_backend(pid) {Waiting}", Token);
            await db.UntilAsync($"SELECT EXISTS (SELECT {Waiting})");
        }

        await starting;
        Assert.Equal("status_events", await db.ScalarAsync<string>("SELECT to_regclass('status_events')::text", Token));
    }

    [Fact]
    public async Task A_transaction_that_exceeds_the_servers_time_limit_is_repeated()
    {
        await using var db = await servers.CreateDatabaseAsync(PostgresAge.Newest, Token);
        Assert.SkipUnless(await db.ScalarAsync<int>("SELECT current_setting('server_version_num')::int", Token) >= 170_000, "transaction_timeout requires PostgreSQL 17.");
        await using var limited = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(db.ConnectionString) { Options = "-c transaction_timeout=200", Pooling = false }.ConnectionString);
        var states = new List<string?>();

        var tries = await db.Database.RetryAsync(
            async token =>
            {
                if (states.Count > 0)
                {
                    return states.Count + 1;
                }

                try
                {
                    await using var slow = limited.CreateCommand("SELECT pg_sleep(600)");
                    return await slow.ExecuteNonQueryAsync(token);
                }
                catch (NpgsqlException e)
                {
                    states.Add(e.SqlState);
                    throw;
                }
            },
            Token);

        Assert.Equal((2, "25P04"), (tries, Assert.Single(states)));
    }

    // Existing sessions end, as after a failover.
    private static async Task SetReadOnlyAsync(TestDatabase db, bool isReadOnly)
    {
        var admin = new NpgsqlConnectionStringBuilder(db.ConnectionString) { Options = "-c default_transaction_read_only=off", Pooling = false };
        await using var connection = new NpgsqlConnection(admin.ConnectionString);
        await connection.OpenAsync(Token);
        await using var alter = new NpgsqlCommand(
            $"ALTER DATABASE {DatabaseCreation.Quote(admin.Database!)} SET default_transaction_read_only = {(isReadOnly ? "on" : "off")}", connection);
        await alter.ExecuteNonQueryAsync(Token);
        await using var end = new NpgsqlCommand(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", connection);
        await end.ExecuteNonQueryAsync(Token);
    }
}
