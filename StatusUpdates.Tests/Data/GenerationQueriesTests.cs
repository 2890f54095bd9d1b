using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Data;

public abstract class GenerationQueriesTests(TestServers servers, PostgresAge age)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Pages_by_cursor_and_by_offset_show_every_generation_once_newest_first()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        for (var i = 0; i < 25; i++)
        {
            await db.SubmitAsync("u", GenerationTypes.Default.Names[i % 3], cancellationToken: Token);
        }

        await db.SubmitAsync("someone else", cancellationToken: Token);

        // Some have the same creation time; then the id decides.
        await db.ExecuteAsync("UPDATE generations SET created_at = date_trunc('minute', created_at) WHERE type = 'sora'", Token);
        var queries = db.CreateQueries();
        var byCursor = new List<string>();
        GenerationListCursor? cursor = null;
        do
        {
            var page = await queries.ListAsync(new GenerationFilter { UserId = "u", Limit = 4, After = cursor }, Token);
            Assert.Equal(25, page.Total);
            byCursor.AddRange(page.Items.Select(g => g.Id));
            cursor = page.Next;
        }
        while (cursor is not null);

        var byOffset = new List<string>();
        for (var offset = 0; offset < 25; offset += 4)
        {
            byOffset.AddRange((await queries.ListAsync(new GenerationFilter { UserId = "u", Limit = 4, Offset = offset }, Token)).Items.Select(g => g.Id));
        }

        Assert.Equal(25, byCursor.Distinct().Count());
        Assert.Equal(byCursor, byOffset);
    }

    [Fact]
    public async Task Filters_narrow_the_list_and_the_total()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        for (var i = 0; i < 6; i++)
        {
            await db.SubmitAsync("u", GenerationTypes.Default.Names[i % 3], cancellationToken: Token);
        }

        // Claims one of each task, because slots are dealt evenly.
        await db.Queue.ClaimAsync(QueueFiller.Request(2) with { Tasks = ["product_card", "sora"] }, Token);
        await db.ExecuteAsync("UPDATE generations SET created_at = '2024-01-01T12:00:00Z' WHERE type = 'chat'", Token);
        var queries = db.CreateQueries();
        var all = new GenerationFilter { UserId = "u", Limit = 10 };

        Assert.Equal(2, (await queries.ListAsync(all with { Status = GenerationStatus.Processing }, Token)).Total);
        Assert.Equal(2, (await queries.ListAsync(all with { Type = "sora" }, Token)).Total);
        Assert.Equal(1, (await queries.ListAsync(all with { Type = "sora", Status = GenerationStatus.Pending }, Token)).Total);
        var noon = new DateTimeOffset(2024, 1, 1, 13, 0, 0, TimeSpan.FromHours(1));
        Assert.Equal(2, (await queries.ListAsync(all with { From = noon, Before = noon.AddTicks(10) }, Token)).Total);
        Assert.Equal(0, (await queries.ListAsync(all with { Before = noon }, Token)).Total);
        Assert.Equal(4, (await queries.ListAsync(all with { From = noon.AddTicks(10) }, Token)).Total);
    }
}

public sealed class GenerationQueriesOnOldestPostgresTests(TestServers servers) : GenerationQueriesTests(servers, PostgresAge.Oldest);

[Long]
public sealed class GenerationQueriesOnNewestPostgresTests(TestServers servers) : GenerationQueriesTests(servers, PostgresAge.Newest);
