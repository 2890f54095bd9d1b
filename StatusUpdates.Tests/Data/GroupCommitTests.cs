using System.Globalization;
using Npgsql;
using StackExchange.Redis;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Data;

/// <summary>Callers of the log share transactions without affecting each other.</summary>
public sealed class GroupCommitTests(TestServers servers)
{
    private static readonly StatusLogOptions OneLane = new() { Lanes = 1 };

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Changes_that_wait_during_a_transaction_share_the_next_one()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var jobs = await StartAsync(db, ["u"], 64);
        await using var log = new StatusLog(db.Database, OneLane);
        var first = await HoldAsync(db, log, jobs[0]);

        var others = jobs.Skip(1).Select(job => log.AppendAsync(Progress(job, 2), Token)).ToArray();
        await first.ReleaseAsync();

        Assert.True((await first.Append).IsCommitted);
        Assert.All(await Task.WhenAll(others), result => Assert.True(result.IsCommitted));
        Assert.Equal(2L, await db.ScalarAsync<long>("SELECT count(DISTINCT xmin::text) FROM status_events WHERE metadata ? 'progress'", Token));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task The_size_of_a_batch_is_bounded()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var jobs = await StartAsync(db, ["u"], 21);
        await using var log = new StatusLog(db.Database, new StatusLogOptions { Lanes = 1, MaxBatch = 8 });
        var first = await HoldAsync(db, log, jobs[0]);

        var others = jobs.Skip(1).Select(job => log.AppendAsync(Progress(job, 2), Token)).ToArray();
        await first.ReleaseAsync();
        await Task.WhenAll(others);

        // 1, then 8 + 8 + 4.
        Assert.Equal(4L, await db.ScalarAsync<long>("SELECT count(DISTINCT xmin::text) FROM status_events WHERE metadata ? 'progress'", Token));
        Assert.Equal(8L, await db.ScalarAsync<long>(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM status_events WHERE metadata ? 'progress' GROUP BY xmin::text) t", Token));
    }

    [Fact]
    public async Task Each_caller_gets_its_own_outcome()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var jobs = await StartAsync(db, ["u"], 4);
        await db.Log.AppendAsync(Change(jobs[2], GenerationStatus.Completed), Token);
        await using var log = new StatusLog(db.Database, OneLane);
        var first = await HoldAsync(db, log, jobs[0]);

        var committed = log.AppendAsync(Progress(jobs[1], 2), Token);
        var terminal = log.AppendAsync(Progress(jobs[2], 2), Token);
        var stale = log.AppendAsync(Progress(jobs[3], 2) with { Attempt = 7 }, Token);
        var missing = log.AppendAsync(new StatusChange { GenerationId = "gen-none", UserId = "u", Status = GenerationStatus.Processing, Attempt = 1 }, Token);
        await first.ReleaseAsync();

        Assert.Equal(((await first.Append).Update!.Seq!.Value) + 1, (await committed).Update!.Seq);
        Assert.Equal((RefusalReason.Terminal, GenerationStatus.Completed), ((await terminal).Refusal, (await terminal).CurrentStatus));
        Assert.Equal((RefusalReason.StaleAttempt, GenerationStatus.Processing), ((await stale).Refusal, (await stale).CurrentStatus));
        Assert.Equal((RefusalReason.NotFound, null), ((await missing).Refusal, (await missing).CurrentStatus));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Changes_of_one_generation_are_committed_in_order_in_separate_transactions()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var jobs = await StartAsync(db, ["u"], 2);
        await using var log = new StatusLog(db.Database, OneLane);
        var first = await HoldAsync(db, log, jobs[0]);

        var appends = Enumerable.Range(1, 10).Select(i => log.AppendAsync(Progress(jobs[1], i), Token)).ToArray();
        await first.ReleaseAsync();

        var seqs = (await Task.WhenAll(appends)).Select(result => result.Update!.Seq!.Value).ToList();
        Assert.Equal(seqs.Order(), seqs);
        Assert.Equal(10, (await db.CreateQueries().FindAsync("u", jobs[1].GenerationId, Token))!.Progress);
        await db.AssertConsistentAsync(Token);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(98)]
    public async Task A_change_that_the_database_rejects_fails_alone(int at)
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var jobs = await StartAsync(db, ["u", "v", "w"], 33);
        await db.ExecuteAsync(
            $"""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
            CREATE TRIGGER refusing BEFORE INSERT ON status_events FOR EACH ROW WHEN (NEW.generation_id = '{jobs[at].GenerationId}') EXECUTE FUNCTION refuse()
            """,
            Token);
        await using var log = new StatusLog(db.Database, OneLane);
        var first = await HoldAsync(db, log, jobs[0]);

        var appends = jobs.Select(job => log.AppendAsync(Progress(job, 2), Token)).ToArray();
        await first.ReleaseAsync();

        for (var i = 0; i < appends.Length; i++)
        {
            if (i == at)
            {
                await Assert.ThrowsAsync<PostgresException>(() => appends[at]);
            }
            else
            {
                Assert.True((await appends[i]).IsCommitted);
            }
        }

        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task An_id_that_the_database_cannot_store_is_refused_at_once_and_such_a_trace_is_repaired()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var job = Assert.Single(await StartAsync(db, ["u"], 1));

        await Assert.ThrowsAsync<ArgumentException>(() => db.Log.AppendAsync(Progress(job, 1) with { GenerationId = "gen-\0" }, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => db.Log.AppendAsync([Progress(job, 1) with { GenerationId = "gen-\ud800" }], Token));
        Assert.True((await db.Log.AppendAsync(Progress(job, 1) with { TraceParent = "00-\0" }, Token)).IsCommitted);
    }

    [Fact]
    public async Task An_update_id_of_another_generation_fails_alone()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var jobs = await StartAsync(db, ["u"], 3);
        await using var log = new StatusLog(db.Database, OneLane);
        var first = await HoldAsync(db, log, jobs[0]);

        var used = await db.Log.AppendAsync(Progress(jobs[2], 1) with { UpdateId = new Guid("01900000-0000-7000-8000-000000000001") }, Token);
        var clash = log.AppendAsync(Progress(jobs[1], 2) with { UpdateId = new Guid("01900000-0000-7000-8000-000000000001") }, Token);
        var other = log.AppendAsync(Progress(jobs[2], 2), Token);
        await first.ReleaseAsync();

        Assert.True(used.IsCommitted);
        await Assert.ThrowsAsync<InvalidOperationException>(() => clash);
        Assert.True((await other).IsCommitted);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task An_old_update_appended_again_together_with_new_ones_is_answered_with_its_first_outcome()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var jobs = await StartAsync(db, ["u"], 3);
        await using var log = new StatusLog(db.Database, OneLane);
        var old = Progress(jobs[1], 1);
        var before = await log.AppendAsync(old, Token);
        await log.AppendAsync(Progress(jobs[1], 2), Token);
        var first = await HoldAsync(db, log, jobs[0]);

        var again = log.AppendAsync(old, Token);
        var other = log.AppendAsync(Progress(jobs[2], 1), Token);
        await first.ReleaseAsync();

        Assert.Equal(before.Update!.Seq, (await again).Update!.Seq);
        Assert.True((await other).IsCommitted);
        Assert.Equal(2, (await db.CreateQueries().FindAsync("u", jobs[1].GenerationId, Token))!.Progress);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_caller_that_cancels_while_queued_writes_nothing()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var jobs = await StartAsync(db, ["u"], 3);
        await using var log = new StatusLog(db.Database, OneLane);
        using var caller = new CancellationTokenSource();
        var first = await HoldAsync(db, log, jobs[0]);

        var canceled = log.AppendAsync(Progress(jobs[1], 2), caller.Token);
        var next = log.AppendAsync(Progress(jobs[2], 2), Token);
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => canceled);
        await first.ReleaseAsync();

        Assert.True((await next).IsCommitted);
        Assert.Null((await db.CreateQueries().FindAsync("u", jobs[1].GenerationId, Token))!.Progress);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_locked_log_does_not_delay_users_of_other_lanes()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        string[] users = [.. Enumerable.Range(0, 32).Select(i => $"u{i}")];
        var jobs = await StartAsync(db, users, 1);
        await using var log = new StatusLog(db.Database, new StatusLogOptions { Lanes = 32 });
        var held = await HoldAsync(db, log, jobs[0]);

        // Two users may share a lane; of 31 others, some do not.
        var others = jobs.Skip(1).Select(job => log.AppendAsync(Progress(job, 2), Token)).ToArray();
        Assert.True((await await Task.WhenAny(others)).IsCommitted);
        Assert.False(held.Append.IsCompleted);
        await held.ReleaseAsync();

        Assert.All(await Task.WhenAll(others), result => Assert.True(result.IsCommitted));
    }

    [Theory]
    [InlineData("SELECT FROM generations WHERE id = '{0}' FOR UPDATE")]
    [InlineData("SELECT FROM user_streams WHERE user_id = '{1}' FOR UPDATE")]
    public async Task A_locked_row_delays_its_lane_for_one_lock_timeout_and_only_its_changes_fail(string hold)
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var jobs = await StartAsync(db, ["u", "v", "w"], 5);
        await using var database = new StatusDatabase(
            db.ConnectionString, new StatusDatabaseOptions { LockTimeout = TimeSpan.FromMilliseconds(300), RetryFor = TimeSpan.FromSeconds(8) });
        await using var log = new StatusLog(database, OneLane);
        await using var connection = new NpgsqlConnection(db.ConnectionString);
        await connection.OpenAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await using (var command = new NpgsqlCommand(string.Format(CultureInfo.InvariantCulture, hold, jobs[0].GenerationId, jobs[0].UserId), connection))
        {
            await command.ExecuteNonQueryAsync(Token);
        }

        var isUser = hold.Contains("user_streams", StringComparison.Ordinal);
        var locked = jobs.Where(job => isUser ? job.UserId == jobs[0].UserId : job.GenerationId == jobs[0].GenerationId).ToList();
        var first = jobs.Select(job => (Job: job, Append: log.AppendAsync(Progress(job, 1), Token))).ToList();
        var free = first.Where(one => !locked.Contains(one.Job)).ToList();
        Assert.All(await Task.WhenAll(free.Select(one => one.Append)), result => Assert.True(result.IsCommitted));

        // By now the locked changes are retried outside the lane, and later changes for them queue up there.
        var later = log.AppendAsync(Progress(locked[0], 2), Token);
        Assert.All(await Task.WhenAll(free.Select(one => log.AppendAsync(Progress(one.Job, 2), Token))), result => Assert.True(result.IsCommitted));
        foreach (var (job, append) in first.Where(one => locked.Contains(one.Job)))
        {
            await Assert.ThrowsAnyAsync<NpgsqlException>(() => append);
        }

        await Assert.ThrowsAnyAsync<NpgsqlException>(() => later);
        await transaction.RollbackAsync(Token);
        Assert.All(await Task.WhenAll(jobs.Select(job => log.AppendAsync(Progress(job, 3), Token))), result => Assert.True(result.IsCommitted));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_locked_log_costs_its_lane_only_one_wait_even_if_other_generations_of_its_user_follow()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var jobs = await StartAsync(db, ["u", "v"], 3);
        await using var database = new StatusDatabase(
            db.ConnectionString, new StatusDatabaseOptions
            {
                LockTimeout = TimeSpan.FromMinutes(10),
                StatementTimeout = TimeSpan.FromMinutes(10),
                RetryFor = TimeSpan.FromMinutes(20),
            });
        await using var log = new StatusLog(database, OneLane);
        await using var connection = await db.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await using (var hold = new NpgsqlCommand("SELECT FROM user_streams WHERE user_id = 'u' FOR UPDATE", connection))
        {
            await hold.ExecuteNonQueryAsync(Token);
        }

        var (locked, free) = (jobs.Where(job => job.UserId == "u").ToList(), jobs.Where(job => job.UserId == "v").ToList());
        var first = log.AppendAsync(Progress(locked[0], 1), Token);
        var behind = log.AppendAsync(Progress(free[0], 1), Token);

        // Ends the lock wait as the timeout would.
        while (!behind.IsCompleted)
        {
            await db.ScalarAsync<long>(
                """
                SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '-- append%'
                """,
                Token);
        }

        Assert.True((await behind).IsCommitted);
        var later = locked.Skip(1).Select(job => log.AppendAsync(Progress(job, 1), Token)).ToList();
        var others = await Task.WhenAll(free.Select(job => log.AppendAsync(Progress(job, 2), Token))).WaitAsync(TestTime.Patience, Token);

        Assert.All(others, result => Assert.True(result.IsCommitted));
        Assert.All([first, .. later], append => Assert.False(append.IsCompleted));
        await transaction.RollbackAsync(Token);
        Assert.All(await Task.WhenAll([first, .. later]), result => Assert.True(result.IsCommitted));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task While_the_database_is_away_callers_wait_and_those_that_wait_too_long_get_an_exception()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var db = await cluster.CreateDatabaseAsync(Token);
        var jobs = await StartAsync(db, ["u"], 40);
        await using var longRetryDatabase = new StatusDatabase(db.ConnectionString, new StatusDatabaseOptions { RetryFor = TimeSpan.FromMinutes(5) });
        await using var longRetry = new StatusLog(longRetryDatabase, OneLane);
        await using var shortRetryDatabase = new StatusDatabase(db.ConnectionString, new StatusDatabaseOptions { RetryFor = TimeSpan.FromSeconds(1) });
        await using var shortRetry = new StatusLog(shortRetryDatabase, OneLane);
        await cluster.Server.StopAsync(StopMode.Immediate, Token);

        var waiting = jobs.Take(20).Select(job => longRetry.AppendAsync(Progress(job, 2), Token)).ToArray();
        var failing = jobs.Skip(20).Select(job => shortRetry.AppendAsync(Progress(job, 2), Token)).ToArray();
        foreach (var append in failing)
        {
            await Assert.ThrowsAnyAsync<NpgsqlException>(() => append);
        }

        Assert.All(waiting, append => Assert.False(append.IsCompleted));
        await cluster.Server.RestartAsync(cancellationToken: Token);
        db.DataSource.Clear();

        Assert.All(await Task.WhenAll(waiting), result => Assert.True(result.IsCommitted));
        Assert.Equal(20L, await db.ScalarAsync<long>("SELECT count(*) FROM status_events WHERE metadata ? 'progress'", Token));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Updates_are_announced_in_the_order_of_their_log()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        await using var log = new StatusLog(db.Database, publisher: new StatusPublisher(redis.Connection, redis.Options));
        var jobs = await StartAsync(db, ["u", "v", "w"], 20);
        var seen = new List<StatusUpdate>();
        var all = new TaskCompletionSource();
        await using var subscription = await new StatusSubscriber(redis.Connection, redis.Options).SubscribeAllAsync(
            update =>
            {
                seen.Add(update);
                if (seen.Count == jobs.Count * 10)
                {
                    all.SetResult();
                }
            },
            Token);

        await Task.WhenAll(jobs.Select(async job =>
        {
            for (var i = 0; i < 10; i++)
            {
                Assert.True((await log.AppendAsync(Progress(job, i), Token)).IsCommitted);
            }
        }));

        await all.Task.WaitAsync(Token);
        foreach (var user in seen.GroupBy(update => update.UserId))
        {
            Assert.Equal(user.Select(update => update.Seq).Order(), user.Select(update => update.Seq));
        }
    }

    [Fact]
    public async Task Killing_Redis_fails_no_caller()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await using var server = await RedisServer.StartAsync(new RedisServerOptions(), Token);
        await using var redis = await ConnectionMultiplexer.ConnectAsync(server.ConnectionString + ",abortConnect=false");
        await using var log = new StatusLog(db.Database, publisher: new StatusPublisher(redis));
        var jobs = await StartAsync(db, ["u", "v", "w"], 20);
        var killed = new TaskCompletionSource();

        var callers = jobs.Select(async (job, n) =>
        {
            for (var i = 0; i < 20; i++)
            {
                Assert.True((await log.AppendAsync(Progress(job, i), Token)).IsCommitted);
                if (i == 10)
                {
                    // All callers are halfway through: some continue while Redis dies, some only afterwards.
                    await (n == 0 ? KillAsync() : n % 2 == 0 ? killed.Task : Task.CompletedTask);
                }
            }
        }).ToArray();
        await Task.WhenAll(callers);

        Assert.Equal(jobs.Count * 20L, await db.ScalarAsync<long>("SELECT count(*) FROM status_events WHERE metadata ? 'progress'", Token));
        await db.AssertConsistentAsync(Token);

        async Task KillAsync()
        {
            await server.KillAsync();
            killed.SetResult();
        }
    }

    private static async Task<IReadOnlyList<StatusChange>> StartAsync(TestDatabase db, IReadOnlyList<string> users, int perUser)
    {
        foreach (var user in users)
        {
            for (var i = 0; i < perUser; i++)
            {
                await db.SubmitAsync(user, cancellationToken: Token);
            }
        }

        var jobs = new List<StatusChange>();
        while (await db.ClaimAsync(500, lease: TimeSpan.FromMinutes(10), cancellationToken: Token) is { Claimed.Count: > 0 } claim)
        {
            jobs.AddRange(claim.Claimed.Select(job => new StatusChange
            {
                GenerationId = job.Id,
                UserId = job.UserId,
                Status = GenerationStatus.Processing,
                Attempt = job.Attempt,
            }));
        }

        return jobs;
    }

    private static StatusChange Progress(StatusChange job, int percent) => job with { Progress = percent, UpdateId = Guid.CreateVersion7() };

    private static StatusChange Change(StatusChange job, GenerationStatus status) => job with { Status = status, UpdateId = Guid.CreateVersion7() };

    /// <summary>Starts an append that waits for its generation, which another transaction has locked; its lane waits too.</summary>
    private static async Task<HeldAppend> HoldAsync(TestDatabase db, StatusLog log, StatusChange job)
    {
        var connection = await db.DataSource.OpenConnectionAsync(Token);
        var transaction = await connection.BeginTransactionAsync(Token);
        await using var hold = new NpgsqlCommand($"SELECT FROM generations WHERE id = '{job.GenerationId}' FOR UPDATE", connection);
        await hold.ExecuteNonQueryAsync(Token);
        var append = log.AppendAsync(Progress(job, 1), Token);
        while (await db.ScalarAsync<long>(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'", Token) == 0)
        {
            await Task.Yield();
        }

        return new HeldAppend(append, connection, transaction);
    }

    private sealed record HeldAppend(Task<AppendResult> Append, NpgsqlConnection Connection, NpgsqlTransaction Transaction)
    {
        public async Task ReleaseAsync()
        {
            await Transaction.RollbackAsync(Token);
            await Transaction.DisposeAsync();
            await Connection.DisposeAsync();
        }
    }
}
