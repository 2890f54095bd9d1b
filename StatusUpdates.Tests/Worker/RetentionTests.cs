using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Retention;

namespace StatusUpdates.Tests.Worker;

public abstract class RetentionTests(TestServers servers, PostgresAge age)
{
    private static readonly TimeSpan Month = TimeSpan.FromDays(30);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Only_generations_that_ended_long_ago_are_removed_together_with_their_results()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var old = await EndAsync(db, "u", ago: "31 days");
        var recent = await EndAsync(db, "u", ago: "29 days");
        var pending = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        await db.ExecuteAsync($"UPDATE generations SET created_at = now() - interval '1 year', updated_at = created_at WHERE id = '{pending}'", Token);
        var oldResult = await db.Results.SaveAsync(old, "text/plain", [1], Token);
        var recentResult = await db.Results.SaveAsync(recent, "text/plain", [1], Token);

        await using var pass = (await BeginAsync(db))!;
        Assert.Equal(1, await pass.DeleteGenerationsAsync(Month, 10, Token));
        Assert.Equal(0, await pass.DeleteGenerationsAsync(Month, 10, Token));

        var queries = db.CreateQueries();
        Assert.Null(await queries.FindAsync("u", old, Token));
        Assert.NotNull(await queries.FindAsync("u", recent, Token));
        Assert.NotNull(await queries.FindAsync("u", pending, Token));
        Assert.Null(await db.Results.FindAsync(oldResult, Token));
        Assert.NotNull(await db.Results.FindAsync(recentResult, Token));
        Assert.Null(await db.Log.ReadHistoryAsync("u", old, 0, 10, Token));

        // The log keeps its updates.
        Assert.Equal(old, (await db.Log.ReadAfterAsync("u", 0, 100, Token)).Items[0].GenerationId);
        Assert.Equal(2, (await queries.ListAsync(new GenerationFilter { UserId = "u", Limit = 10 }, Token)).Total);
        await CheckCountsAsync(db);
    }

    [Fact]
    public async Task The_idempotency_key_of_a_deleted_generation_is_free_again()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var old = await EndAsync(db, "u", ago: "31 days", key: "k");
        Assert.Equal(SubmitOutcome.Repeated, (await db.SubmitAsync("u", key: "k", cancellationToken: Token)).Outcome);

        await using var pass = (await BeginAsync(db))!;
        await pass.DeleteGenerationsAsync(Month, 10, Token);
        var again = await db.SubmitAsync("u", key: "k", cancellationToken: Token);

        Assert.Equal(SubmitOutcome.Created, again.Outcome);
        Assert.NotEqual(old, again.Generation.Id);
    }

    [Fact]
    public async Task Only_the_old_beginning_of_a_log_is_removed_and_its_readers_can_detect_it()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var first = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        for (var i = 0; i < 5; i++)
        {
            await db.SubmitAsync("u", cancellationToken: Token);
        }

        // The fifth looks old too, but not the fourth before it, as after a clock was set back.
        await db.ExecuteAsync("UPDATE status_events SET occurred_at = now() - interval '31 days' WHERE seq IN (1, 2, 3, 5)", Token);
        await using var pass = (await BeginAsync(db))!;
        var old = await pass.FindOldLogsAsync("", Month, 10, Token);
        Assert.Equal([new LogEntryCount("u", 6)], old.Logs);
        Assert.Equal("u", old.Last);
        Assert.Equal([new LogEntryCount("u", 2)], await pass.TrimAsync(["u"], Month, 2, Token));
        Assert.Equal([new LogEntryCount("u", 1)], await pass.TrimAsync(["u"], Month, 2, Token));
        Assert.Empty(await pass.TrimAsync(["u"], Month, 2, Token));
        Assert.Empty((await pass.FindOldLogsAsync("", Month, 10, Token)).Logs);
        Assert.Null((await pass.FindOldLogsAsync("u", Month, 10, Token)).Last);

        var page = await db.Log.ReadAfterAsync("u", 3, 100, Token);
        Assert.Equal(new LogBounds(4, 6), page.Bounds with { LastCheck = null });
        Assert.Equal([4L, 5L, 6L], page.Items.Select(u => u.Seq!.Value));
        Assert.True(page.Bounds.Covers(3));
        Assert.False(page.Bounds.Covers(2));
        var history = (await db.Log.ReadHistoryAsync("u", first, 0, 10, Token))!;
        Assert.Empty(history.Items);
        Assert.False(history.IsComplete);
        await db.ExecuteAsync("UPDATE status_events e SET occurred_at = g.updated_at FROM generations g WHERE g.id = e.generation_id", Token);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_log_with_only_old_updates_is_emptied_and_continues_with_the_next_seq()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("a", cancellationToken: Token);
        await db.SubmitAsync("b", cancellationToken: Token);
        await db.SubmitAsync("b", cancellationToken: Token);
        await db.ExecuteAsync("UPDATE status_events SET occurred_at = now() - interval '31 days'", Token);

        await using var pass = (await BeginAsync(db))!;
        var old = await pass.FindOldLogsAsync("", Month, 10, Token);
        var trimmed = await pass.TrimAsync([.. old.Logs.Select(log => log.UserId)], Month, 10, Token);

        Assert.Equal([new LogEntryCount("a", 1), new LogEntryCount("b", 2)], trimmed.OrderBy(log => log.UserId));
        Assert.Equal(new LogBounds(3, 2), await db.Log.ReadBoundsAsync("b", Token) with { LastCheck = null });
        Assert.Empty((await pass.FindOldLogsAsync("", Month, 10, Token)).Logs);
        Assert.Equal(3, (await db.SubmitAsync("b", cancellationToken: Token)).Update!.Seq);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Only_one_pass_runs_at_a_time_and_a_lost_connection_releases_its_lock()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var first = (await BeginAsync(db))!;
        Assert.Null(await BeginAsync(db));
        await first.DisposeAsync();
        var second = (await BeginAsync(db))!;

        // The server tells the client before it releases the lock: wait until the backend is gone.
        await db.ExecuteAsync(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            Token);
        await Assert.ThrowsAnyAsync<Npgsql.NpgsqlException>(() => second.DeleteGenerationsAsync(Month, 1, Token));
        await second.DisposeAsync();

        await using var third = await BeginAsync(db);
        Assert.NotNull(third);
    }

    [Fact]
    public async Task Deleting_does_not_wait_for_a_locked_generation()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var held = await EndAsync(db, "u", ago: "40 days");
        var free = await EndAsync(db, "u", ago: "31 days");
        await using var connection = await db.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await using (var hold = new Npgsql.NpgsqlCommand($"SELECT FROM generations WHERE id = '{held}' FOR UPDATE", connection, transaction))
        {
            await hold.ExecuteNonQueryAsync(Token);
        }

        await using var pass = (await BeginAsync(db))!;
        Assert.Equal(1, await pass.DeleteGenerationsAsync(Month, 10, Token));
        await transaction.RollbackAsync(Token);

        var queries = db.CreateQueries();
        Assert.NotNull(await queries.FindAsync("u", held, Token));
        Assert.Null(await queries.FindAsync("u", free, Token));
    }

    [Fact]
    public async Task The_schema_sets_a_fill_factor_for_frequently_updated_tables()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        foreach (var table in new[] { "generations", "user_streams", "generation_counts" })
        {
            Assert.True(await db.ScalarAsync<bool>($"SELECT reloptions::text LIKE '%fillfactor%' FROM pg_class WHERE relname = '{table}'", Token));
        }
    }

    private static Task<RetentionPass?> BeginAsync(TestDatabase db) => RetentionPass.TryBeginAsync(db.Database, Token);

    private static async Task<string> EndAsync(TestDatabase db, string user, string ago, string? key = null)
    {
        var id = (await db.SubmitAsync(user, key: key, cancellationToken: Token)).Generation.Id;
        var attempt = (await db.ClaimAsync(cancellationToken: Token)).Claimed.Single().Attempt;
        await db.Log.AppendAsync(
            new StatusChange { GenerationId = id, Status = GenerationStatus.Completed, Attempt = attempt }, Token);
        await db.ExecuteAsync($"UPDATE generations SET completed_at = now() - interval '{ago}' WHERE id = '{id}'", Token);
        return id;
    }

    private static async Task CheckCountsAsync(TestDatabase db) =>
        Assert.Equal(0L, await db.ScalarAsync<long>(TestDatabase.WrongCountsSql, Token));
}

public sealed class RetentionOnOldestPostgresTests(TestServers servers) : RetentionTests(servers, PostgresAge.Oldest);

[Long]
public sealed class RetentionOnNewestPostgresTests(TestServers servers) : RetentionTests(servers, PostgresAge.Newest);
