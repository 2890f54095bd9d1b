using System.Diagnostics;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Data;

/// <summary>The rules of the write path, each tested by a situation that would break it.</summary>
public abstract class WritePathTests(TestServers servers, PostgresAge age)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task All_kinds_of_writers_on_overlapping_users_never_deadlock_and_leave_no_gap()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        const int Submitters = 6;
        const int EachSubmits = 60;
        string[] users = ["a", "b", "c", "d"];
        var submitted = 0;

        var submitters = Enumerable.Range(0, Submitters).Select(async writer =>
        {
            for (var i = 0; i < EachSubmits; i++)
            {
                var user = users[(writer + i) % users.Length];
                var generation = (await db.SubmitAsync(user, cancellationToken: Token)).Generation;
                Interlocked.Increment(ref submitted);
                if (i % 5 == 0)
                {
                    await db.CreateCommands().CancelAsync(user, generation.Id, cancellationToken: Token);
                }
            }
        });

        using var done = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var workers = Enumerable.Range(0, 4).Select(n => Task.Run(() => WorkAsync(db, $"worker-{n}", done.Token), Token)).ToList();
        var heartbeats = Task.Run(() => HeartbeatAsync(db, done.Token), Token);

        await Task.WhenAll(submitters);
        while (workers.TrueForAll(w => !w.IsCompleted) && await db.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status IN ('pending', 'processing')", Token) > 0)
        {
            await Task.Yield();
        }

        await done.CancelAsync();
        await Task.WhenAll(workers.Append(heartbeats));

        Assert.Equal(Submitters * EachSubmits, submitted);
        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()", Token));
        await db.AssertConsistentAsync(Token);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task An_update_whose_answer_was_lost_after_the_commit_is_committed_once(int losses)
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        var job = (await db.ClaimAsync(cancellationToken: Token)).Claimed[0];
        await using var proxied = await ProxiedDatabase.OpenAsync(db);

        proxied.Proxy.LoseAnswers(losses);
        var result = await proxied.Log.AppendAsync(
            new StatusChange { GenerationId = job.Id, Status = GenerationStatus.Completed, Attempt = job.Attempt }, Token);

        Assert.Equal(losses, proxied.Proxy.Lost);
        Assert.Equal(3, result.Update!.Seq);
        Assert.Equal(new LogBounds(1, 3), await db.Log.ReadBoundsAsync("u", Token) with { LastCheck = null });
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task An_update_delivered_late_after_its_repeat_and_after_others_is_not_appended_twice()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        var job = (await db.ClaimAsync(cancellationToken: Token)).Claimed[0];
        await using var proxied = await ProxiedDatabase.OpenAsync(db);
        StatusChange Progress(int percent) =>
            new() { GenerationId = job.Id, Status = GenerationStatus.Processing, Attempt = job.Attempt, Progress = percent };

        var first = proxied.Proxy.WithholdRequest(cut: true);
        var repeated = await proxied.Log.AppendAsync(Progress(35), Token);
        var next = await db.Log.AppendAsync(Progress(60), Token);
        await first.DeliverAsync(Token);

        Assert.Equal((3, 4), (repeated.Update!.Seq, next.Update!.Seq));
        Assert.Equal(new LogBounds(1, 4), await db.Log.ReadBoundsAsync("u", Token) with { LastCheck = null });
        Assert.Equal(60, (await db.CreateQueries().FindAsync("u", job.Id, Token))!.Progress);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task An_update_that_the_network_loses_is_repeated_while_there_is_time()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        var job = (await db.ClaimAsync(cancellationToken: Token)).Claimed[0];
        await using var proxied = await ProxiedDatabase.OpenAsync(db, new StatusDatabaseOptions { StatementTimeout = TimeSpan.FromSeconds(1) });

        proxied.Proxy.WithholdRequest(cut: false);
        var result = await proxied.Log.AppendAsync(
            new StatusChange { GenerationId = job.Id, Status = GenerationStatus.Completed, Attempt = job.Attempt }, Token);

        Assert.Equal(3, result.Update!.Seq);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_submission_whose_answer_was_lost_after_the_commit_is_stored_once()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await using var proxied = await ProxiedDatabase.OpenAsync(db);

        proxied.Proxy.LoseAnswers(1);
        var result = await new GenerationCommands(proxied.Database, db.CreateQueries()).SubmitAsync(
            new Submission { UserId = "u", Type = "sora", Task = "sora", Prompt = "p" }, Token);

        Assert.Equal(1, proxied.Proxy.Lost);
        Assert.Equal(1, result.Generation.Seq);
        Assert.Equal(1L, await db.ScalarAsync<long>("SELECT count(*) FROM generations", Token));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_generation_whose_claim_answer_was_lost_is_among_the_held_leases()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var generation = (await db.SubmitAsync("u", cancellationToken: Token)).Generation;
        await using var proxied = await ProxiedDatabase.OpenAsync(db);

        proxied.Proxy.LoseAnswers(1);
        var claim = await new GenerationQueue(proxied.Database).ClaimAsync(
            new ClaimRequest { Owner = "me", Tasks = ["product_card"], Limit = 5, Lease = TimeSpan.FromMinutes(1) }, Token);

        Assert.Equal(1, proxied.Proxy.Lost);
        Assert.Empty(claim.Claimed);
        var held = Assert.Single(await db.Queue.ExtendLeasesAsync("me", [], TimeSpan.FromMinutes(1), Token));
        Assert.Equal(new HeldLease(generation.Id, 1, false), held with { RunningFor = default });
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_process_that_stalls_in_a_transaction_blocks_a_log_no_longer_than_its_timeouts()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        await using var stalled = new StatusDatabase(
            db.ConnectionString, new StatusDatabaseOptions { IdleInTransactionTimeout = TimeSpan.FromSeconds(1) });

        // To the server, a stalled process is one that holds its locks and sends nothing more.
        var watch = Stopwatch.StartNew();
        await using var connection = await stalled.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await using (var hold = new NpgsqlCommand("SELECT 1 FROM user_streams WHERE user_id = 'u' FOR UPDATE", connection))
        {
            await hold.ExecuteNonQueryAsync(Token);
        }

        var submitted = await db.SubmitAsync("u", cancellationToken: Token);

        Assert.Equal(2, submitted.Generation.Seq);
        Assert.True(watch.Elapsed > TimeSpan.FromSeconds(0.5), $"{watch.Elapsed}");
        await Assert.ThrowsAnyAsync<Exception>(() => transaction.CommitAsync(Token));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Fifty_simultaneous_submissions_with_one_key_create_one_generation_with_one_first_update()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);

        var results = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => db.SubmitAsync("u", key: "k", cancellationToken: Token)));

        Assert.Single(results, r => r.Outcome == SubmitOutcome.Created);
        Assert.Equal(49, results.Count(r => r.Outcome == SubmitOutcome.Repeated && r.Update is null));
        Assert.Single(results.Select(r => r.Generation.Id).Distinct());
        Assert.Equal(new LogBounds(1, 2), await db.Log.ReadBoundsAsync("u", Token) with { LastCheck = null });
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task The_same_key_with_another_request_is_a_conflict_and_another_users_key_is_not()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var first = await db.SubmitAsync("u", key: "k", cancellationToken: Token);
        var other = new Submission
        {
            UserId = "u",
            Type = "sora",
            Task = "sora",
            Prompt = "p",
            IdempotencyKey = "k",
            RequestHash = [2],
        };

        var conflict = await db.CreateCommands().SubmitAsync(other, Token);

        Assert.Equal((SubmitOutcome.KeyReused, first.Generation.Id), (conflict.Outcome, conflict.Generation.Id));
        Assert.Equal(SubmitOutcome.Created, (await db.CreateCommands().SubmitAsync(other with { UserId = "v" }, Token)).Outcome);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_database_that_acknowledges_commits_before_they_are_durable_is_refused_at_start()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await using var unsafeDatabase = new StatusDatabase(
            new NpgsqlConnectionStringBuilder(db.ConnectionString) { Options = "-c synchronous_commit=off" }.ConnectionString);

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Migrator(unsafeDatabase).MigrateAsync(Token));

        Assert.Contains("synchronous_commit", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_one_of_many_instances_that_start_together_applies_the_migrations()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.ExecuteAsync("DROP SCHEMA public CASCADE; CREATE SCHEMA public", Token);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            await using var instance = new StatusDatabase(db.ConnectionString);
            await Migrator(instance).MigrateAsync(Token);
        }));

        Assert.True(await db.ScalarAsync<bool>("SELECT to_regclass('status_events') IS NOT NULL", Token));
        Assert.Equal(SubmitOutcome.Created, (await db.SubmitAsync("u", cancellationToken: Token)).Outcome);
    }

    [Fact]
    public async Task A_migration_may_take_longer_than_the_statement_timeout_of_the_services()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await using var shortTimeouts = new StatusDatabase(
            new NpgsqlConnectionStringBuilder(db.ConnectionString) { CommandTimeout = 1 }.ConnectionString,
            new StatusDatabaseOptions { StatementTimeout = TimeSpan.FromSeconds(1), LockTimeout = TimeSpan.FromSeconds(1) });
        await db.ExecuteAsync("DROP SCHEMA public CASCADE; CREATE SCHEMA public", Token);
        await db.ExecuteAsync(
            """
            CREATE FUNCTION take_time() RETURNS event_trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_sleep(3) FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'public.status_events'; END $$;
            CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION take_time()
            """,
            Token);

        await Migrator(shortTimeouts).MigrateAsync(Token);

        Assert.True(await db.ScalarAsync<bool>("SELECT to_regclass('status_events') IS NOT NULL", Token));
    }

    private static DatabaseMigrator Migrator(StatusDatabase database) => new(
        database,
        new StatusDatabaseOptions(),
        TimeProvider.System,
        Microsoft.Extensions.Logging.Abstractions.NullLogger<DatabaseMigrator>.Instance);

    private static async Task WorkAsync(TestDatabase db, string owner, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var jobs = (await db.ClaimAsync(8, owner, cancellationToken: CancellationToken.None)).Claimed;
            if (jobs.Count == 0)
            {
                await Task.Yield();
                continue;
            }

            await db.Log.AppendAsync(
                [.. jobs.Select(j => new StatusChange { GenerationId = j.Id, Status = GenerationStatus.Processing, Attempt = j.Attempt, Progress = 50 })],
                CancellationToken.None);

            // Some return to the queue once; the rest end, in a batch whose order is not that of their ids.
            await db.Log.AppendAsync(
                [.. jobs.OrderBy(_ => Random.Shared.Next()).Select((j, i) => new StatusChange
                {
                    GenerationId = j.Id,
                    Attempt = j.Attempt,
                    Status = i % 4 == 0 && j.Attempt == 1 ? GenerationStatus.Pending : GenerationStatus.Completed,
                })],
                CancellationToken.None);
        }
    }

    private static async Task HeartbeatAsync(TestDatabase db, CancellationToken stop)
    {
        for (var n = 0; !stop.IsCancellationRequested; n++)
        {
            await db.Queue.ExtendLeasesAsync($"worker-{n % 4}", [], TimeSpan.FromMinutes(1), CancellationToken.None);
        }
    }

    /// <summary>The same database through a proxy, over one warmed-up connection.</summary>
    private sealed class ProxiedDatabase : IAsyncDisposable
    {
        private ProxiedDatabase(TcpProxy proxy, StatusDatabase database)
        {
            Proxy = proxy;
            Database = database;
            Log = new StatusLog(database);
        }

        public TcpProxy Proxy { get; }

        public StatusDatabase Database { get; }

        public StatusLog Log { get; }

        public static async Task<ProxiedDatabase> OpenAsync(TestDatabase db, StatusDatabaseOptions? options = null)
        {
            var proxy = TcpProxy.ToDatabase(db.ConnectionString, out var through);
            var proxied = new ProxiedDatabase(proxy, new StatusDatabase($"{through};Maximum Pool Size=1;No Reset On Close=true", options));
            await proxied.Log.ReadBoundsAsync("nobody", Token);
            await using var claims = await proxied.Database.Claims.OpenConnectionAsync(Token);
            return proxied;
        }

        public async ValueTask DisposeAsync()
        {
            await Database.DisposeAsync();
            await Proxy.DisposeAsync();
        }
    }
}

public sealed class WritePathOnOldestPostgresTests(TestServers servers) : WritePathTests(servers, PostgresAge.Oldest);

[Long]
public sealed class WritePathOnNewestPostgresTests(TestServers servers) : WritePathTests(servers, PostgresAge.Newest);
