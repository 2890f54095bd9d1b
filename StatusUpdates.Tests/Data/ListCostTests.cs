using StatusUpdates.Benchmarks.History;
using StatusUpdates.Data.Generations;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Data;

/// <summary>Shows with thousands of generations what the benchmark <c>history</c> shows with millions: statements and plans are the same.</summary>
public abstract class ListCostTests(TestServers servers, PostgresAge age)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task With_every_filter_a_page_of_the_list_costs_the_same_with_ten_times_as_many_generations()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var few = await CostsAsync(db, 10_000);
        var many = await CostsAsync(db, 100_000);

        Assert.Equal(few.Keys.Order(), many.Keys.Order());
        Assert.All(few, cost =>
        {
            // The index may be one level deeper, in each of the five ranges of a type.
            var (page, total) = many[cost.Key];
            Assert.True(page <= (cost.Value.Page * 1.5) + 5, $"{cost.Key}: {cost.Value.Page} pages, then {page}.");
            Assert.True(total <= cost.Value.Total + 1, $"total, {cost.Key}: {cost.Value.Total} pages, then {total}.");
        });
    }

    [Fact]
    public async Task Generations_in_a_date_range_are_counted_up_to_ten_thousand_and_no_further()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await HistoryData.FillAsync(db.DataSource, 100_000, Token);
        await using var queries = new HistoryQueries(db.Database);
        await using var connection = await db.DataSource.OpenConnectionAsync(Token);
        var all = new GenerationFilter { UserId = HistoryData.HeavyUser, Limit = 1, From = DateTimeOffset.UnixEpoch };
        foreach (var (name, filter) in new (string, GenerationFilter)[]
        {
            ("dates", all),
            ("status and dates", all with { Status = GenerationStatus.Completed }),
            ("type and dates", all with { Type = "sora" }),
            ("status, type and dates", all with { Status = GenerationStatus.Completed, Type = "sora" }),
        })
        {
            var (list, total, _) = await queries.RunAsync(new HistoryQuery(name, filter), Token);
            Assert.Equal((name, (long)GenerationQueries.MaxCounted, true), (name, list.Total, list.IsMore));
            foreach (var isGeneric in new[] { false, true })
            {
                var cost = await total.ExplainAsync(connection, isGeneric, Token);
                Assert.DoesNotContain("Seq Scan", cost.Nodes);

                // An index page holds a hundred entries, and there are at most five ranges.
                Assert.InRange(cost.Buffers, 1, 1000);
            }
        }

        var last = (await queries.RunAsync(new HistoryQuery("first", all), Token)).List.Items[0].CreatedAt;
        var (few, _, _) = await queries.RunAsync(new HistoryQuery("few", all with { From = last }), Token);
        Assert.InRange(few.Total, 1, 100);
        Assert.False(few.IsMore);
    }

    private static async Task<Dictionary<string, (long Page, long Total)>> CostsAsync(TestDatabase db, int generations)
    {
        await HistoryData.FillAsync(db.DataSource, generations, Token);
        await using var queries = new HistoryQueries(db.Database);
        await using var connection = await db.DataSource.OpenConnectionAsync(Token);
        var costs = new Dictionary<string, (long, long)>(StringComparer.Ordinal);
        foreach (var query in (await queries.AllAsync(HistoryData.HeavyUser, Token)).Where(query => query.HasConstantCost))
        {
            var (list, total, page) = await queries.RunAsync(query, Token);
            var matching = await db.ScalarAsync<long>(CountSql(query), Token);
            var isCounted = query.Filter is not { From: null, Before: null };
            Assert.Equal((isCounted ? Math.Min(matching, GenerationQueries.MaxCounted) : matching, isCounted && matching > GenerationQueries.MaxCounted), (list.Total, list.IsMore));
            foreach (var isGeneric in new[] { false, true })
            {
                var explained = await page.ExplainAsync(connection, isGeneric, Token);
                Assert.DoesNotContain("Seq Scan", explained.Nodes);
                var cost = await total.ExplainAsync(connection, isGeneric, Token);
                costs.Add(
                    $"{query.Name}{(isGeneric ? ", generic plan" : "")}",
                    (explained.Buffers, query.Filter is { From: null, Before: null } ? cost.Buffers : 0));
            }
        }

        return costs;
    }

    private static string CountSql(HistoryQuery query)
    {
        var filter = query.Filter;
        string[] conditions =
        [
            $"user_id = '{filter.UserId}'",
            .. filter.Status is { } status ? [$"status = '{status.ToWireName()}'"] : Array.Empty<string>(),
            .. filter.Type is { } type ? [$"type = '{type}'"] : Array.Empty<string>(),
            .. filter.From is { } from ? [$"created_at >= '{from:O}'"] : Array.Empty<string>(),
            .. filter.Before is { } before ? [$"created_at < '{before:O}'"] : Array.Empty<string>(),
        ];
        return $"SELECT count(*) FROM generations WHERE {string.Join(" AND ", conditions)}";
    }
}

public sealed class ListCostOnOldestPostgresTests(TestServers servers) : ListCostTests(servers, PostgresAge.Oldest);

[Long]
public sealed class ListCostOnNewestPostgresTests(TestServers servers) : ListCostTests(servers, PostgresAge.Newest);
