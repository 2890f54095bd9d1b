using System.Text.Json.Nodes;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Queue;
using static StatusUpdates.Tests.Data.QueueFiller;

namespace StatusUpdates.Tests.Data;

/// <summary>The number of buffers that a claim reads, as the server counts them, does not depend on the length of the queue.</summary>
public abstract class ClaimCostTests(TestServers servers, PostgresAge age)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_claim_reads_no_more_from_a_backlog_twenty_times_as_long()
    {
        var small = await MeasureAsync(heavy: 1_000);
        var large = await MeasureAsync(heavy: 20_000);

        Assert.InRange(large, 1, (small * 1.25) + 32);
    }

    [Fact]
    public async Task A_claim_from_an_empty_queue_reads_a_few_buffers()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);

        Assert.InRange(await BuffersAsync(db, 16), 0, 48);
    }

    [Fact]
    public async Task One_plan_serves_all_claims_of_a_connection()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await using var database = new StatusDatabase(db.ConnectionString + ";Maximum Pool Size=1");
        var queue = new GenerationQueue(database);
        for (var i = 0; i < 12; i++)
        {
            await db.FillAsync($"u{i}", 20);
            Assert.NotEmpty((await queue.ClaimAsync(Request(8), Token)).Claimed);
        }

        await using var command = database.Claims.CreateCommand(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '-- claim%'");
        await using var reader = await command.ExecuteReaderAsync(Token);
        Assert.True(await reader.ReadAsync(Token), "The claim must be a prepared statement.");
        Assert.InRange(reader.GetInt64(0), 8, 12);
        Assert.Equal(0L, reader.GetInt64(1));
    }

    // Neither analyzed nor vacuumed, like a queue that has just been filled.
    private async Task<long> MeasureAsync(int heavy)
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.ExecuteAsync("ALTER TABLE generations SET (autovacuum_enabled = off); ALTER TABLE status_events SET (autovacuum_enabled = off)", Token);
        await db.FillAsync("m-heavy", heavy);
        for (var i = 0; i < 100; i++)
        {
            await db.FillAsync($"{(i % 2 == 0 ? "a" : "z")}-{i}", 1);
        }

        // Claims re-read recent rows for a while, because earlier transactions may still commit.
        await db.UntilAsync("SELECT max(created_at) < now() - interval '3 seconds' FROM generations");
        await db.Queue.ClaimAsync(Request(16), Token);
        await db.Queue.ClaimAsync(Request(16), Token);
        return await BuffersAsync(db, 16);
    }

    private static async Task<long> BuffersAsync(TestDatabase db, int limit)
    {
        var request = Request(limit);
        await using var connection = await db.Database.Claims.OpenConnectionAsync(Token);
        var asked = db.Queue.Plan(request);
        await using var command = GenerationQueue.CreateClaim(request, asked);
        command.Connection = connection;
        command.CommandText = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + command.CommandText;
        await using var reader = await command.ExecuteReaderAsync(Token);
        Assert.True(await reader.ReadAsync(Token));
        var text = reader.GetString(0);
        var plan = JsonNode.Parse(text)![0]!["Plan"]!;
        Assert.DoesNotContain("Seq Scan", text, StringComparison.Ordinal);
        var buffers = (long)plan["Shared Hit Blocks"]! + (long)plan["Shared Read Blocks"]!;
        TestContext.Current.TestOutputHelper?.WriteLine($"{limit} slots: {buffers} buffers");
        return buffers;
    }
}

public sealed class ClaimCostOnOldestPostgresTests(TestServers servers) : ClaimCostTests(servers, PostgresAge.Oldest);

[Long]
public sealed class ClaimCostOnNewestPostgresTests(TestServers servers) : ClaimCostTests(servers, PostgresAge.Newest);
