using System.Text.Json.Nodes;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Queue;
using static StatusUpdates.Tests.Data.QueueFiller;

namespace StatusUpdates.Tests.Data;

/// <summary>What a claim reads, in buffers, as the server counts them: how much that is does not depend on how much waits.</summary>
public abstract class ClaimCostTests(TestServers servers, PostgresAge age)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_claim_reads_no_more_with_twenty_times_the_backlog()
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
            Assert.Equal(8, (await queue.ClaimAsync(Request(8), Token)).Claimed.Count);
        }

        await using var command = database.DataSource.CreateCommand(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%WITH RECURSIVE tasks%'");
        await using var reader = await command.ExecuteReaderAsync(Token);
        Assert.True(await reader.ReadAsync(Token), "The claim is prepared.");
        Assert.InRange(reader.GetInt64(0), 8, 12);
        Assert.Equal(0L, reader.GetInt64(1));
    }

    // Neither analyzed nor vacuumed: as a queue is that has just been filled.
    private async Task<long> MeasureAsync(int heavy)
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.ExecuteAsync("ALTER TABLE generations SET (autovacuum_enabled = off); ALTER TABLE status_events SET (autovacuum_enabled = off)", Token);
        await db.FillAsync("m-heavy", heavy);
        for (var i = 0; i < 100; i++)
        {
            await db.FillAsync($"{(i % 2 == 0 ? "a" : "z")}-{i}", 1);
        }

        await db.Queue.ClaimAsync(Request(16), Token);
        return await BuffersAsync(db, 16);
    }

    private static async Task<long> BuffersAsync(TestDatabase db, int limit)
    {
        var request = Request(limit);
        await using var connection = await db.DataSource.OpenConnectionAsync(Token);
        await using var batch = db.Queue.CreateClaim(request, request.Tasks);
        batch.Connection = connection;
        batch.BatchCommands[1].CommandText = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + ClaimSql.Text;
        await using var reader = await batch.ExecuteReaderAsync(Token);
        await reader.NextResultAsync(Token);
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

public sealed class ClaimCostOnNewestPostgresTests(TestServers servers) : ClaimCostTests(servers, PostgresAge.Newest);
