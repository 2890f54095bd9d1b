using System.Data;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Queue;
using static StatusUpdates.Tests.Data.QueueFiller;

namespace StatusUpdates.Tests.Data;

/// <summary>
/// A transaction that stays open holds back the xmin horizon: PostgreSQL cannot remove row versions that have died since. The number of
/// buffers that claims and heartbeats read must not grow with them.
/// </summary>
public abstract class ClaimHeldHorizonTests(TestServers servers, PostgresAge age)
{
    private const int Few = 500;
    private const int BatchSize = 10_000;

    private static readonly int Jobs = ScenarioSize.Of(small: 10_000, full: 1_000_000);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_claim_reads_no_more_after_thousands_have_ended_during_an_open_transaction()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.ExecuteAsync("ALTER TABLE generations SET (autovacuum_enabled = off); ALTER TABLE status_events SET (autovacuum_enabled = off)", Token);

        // A process whose clock is stopped: it explores at the start and never again.
        await using var database = new StatusDatabase(db.ConnectionString, time: new FakeTimeProvider());
        var queue = new GenerationQueue(database);
        await queue.ClaimAsync(Request(1, "idle"), Token);
        await db.FillAsync("somebody", 1);
        await queue.ClaimAsync(Request(1, "long"), Token);
        await using var open = await db.DataSource.OpenConnectionAsync(Token);
        await using var held = await open.BeginTransactionAsync(IsolationLevel.RepeatableRead, Token);
        await using (var command = new NpgsqlCommand("SELECT count(*) FROM generations", open, held))
        {
            await command.ExecuteScalarAsync(Token);
        }

        await EndAsync(db, Few);
        var few = await MeasureAsync(db, queue);
        await EndAsync(db, Jobs - Few);
        var many = await MeasureAsync(db, queue);

        TestContext.Current.TestOutputHelper?.WriteLine($"after {Few} jobs {few} buffers, after {Jobs} {many}");
        Assert.True(many.Idle <= (few.Idle * 1.25) + 32, $"An idle claim read {few.Idle} buffers, and later {many.Idle}.");
        Assert.True(many.Start <= (few.Start * 1.25) + 32, $"A claim of one job read {few.Start} buffers, and later {many.Start}.");
    }

    // Ends jobs with the same updates as the claims and completions of other processes.
    private static async Task EndAsync(TestDatabase db, int count)
    {
        for (var left = count; left > 0; left -= BatchSize)
        {
            var ids = $"'gen-{Guid.NewGuid():N}-' || i FROM generate_series(1, {Math.Min(BatchSize, left)}) i";
            await db.ExecuteAsync(
                $"""
                INSERT INTO generations (id, user_id, type, task, status, seq, first_seq, prompt, created_at, updated_at, run_at, attempt, failures, last_update_id)
                SELECT g.id, 'other-' || g.n % 100, 'sora', 'sora', 'pending', g.n, g.n, 'p', now(), now(), now(), 0, 0, gen_random_uuid()
                FROM (SELECT i AS n, {ids}) AS g (n, id)
                """,
                Token);
            await db.ExecuteAsync(
                $"""
                UPDATE generations
                SET status = 'processing', run_at = clock_timestamp(), attempt = 1, lease_owner = 'gone', lease_expires_at = now() + interval '1 hour'
                WHERE id = ANY (ARRAY(SELECT {ids}))
                """,
                Token);
            await db.ExecuteAsync(
                $"""
                UPDATE generations SET status = 'completed', lease_owner = NULL, lease_expires_at = NULL, completed_at = clock_timestamp()
                WHERE id = ANY (ARRAY(SELECT {ids}))
                """,
                Token);
        }
    }

    // Claims re-read recent rows for a while, because earlier transactions may still commit.
    private static async Task<(long Idle, long Start)> MeasureAsync(TestDatabase db, GenerationQueue queue)
    {
        await db.UntilAsync("SELECT max(completed_at) < now() - interval '3 seconds' FROM generations");
        while ((await queue.ClaimAsync(Request(4, "idle"), Token)).MayHaveMore)
        {
        }

        Assert.Single(await queue.ExtendLeasesAsync("long", [], TimeSpan.FromHours(1), Token));
        var idle = await BuffersAsync(db, queue);
        await db.FillAsync("new", 1);
        return (idle, await BuffersAsync(db, queue));
    }

    // In a transaction that is rolled back: measures the unchanged statement and does not update the memory of the queue.
    private static async Task<long> BuffersAsync(TestDatabase db, GenerationQueue queue)
    {
        var request = Request(4);
        await using var connection = await db.Database.Claims.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        var plan = queue.Plan(request);
        Assert.All(plan.Positions, position => Assert.True(position is null, "The claim must not explore."));
        await using var command = GenerationQueue.CreateClaim(request, plan);
        (command.Connection, command.Transaction) = (connection, transaction);
        command.CommandText = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + command.CommandText;
        string text;
        await using (var reader = await command.ExecuteReaderAsync(Token))
        {
            Assert.True(await reader.ReadAsync(Token));
            text = reader.GetString(0);
        }

        await transaction.RollbackAsync(Token);
        var top = JsonNode.Parse(text)![0]!["Plan"]!;
        return (long)top["Shared Hit Blocks"]! + (long)top["Shared Read Blocks"]!;
    }
}

public sealed class ClaimHeldHorizonOnOldestPostgresTests(TestServers servers) : ClaimHeldHorizonTests(servers, PostgresAge.Oldest);

[Long]
public sealed class ClaimHeldHorizonOnNewestPostgresTests(TestServers servers) : ClaimHeldHorizonTests(servers, PostgresAge.Newest);
