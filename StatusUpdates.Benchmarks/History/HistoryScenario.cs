using System.Diagnostics;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Benchmarks.History;

/// <summary>The cost of a page of the list with few and with many generations: the scenario <c>history</c>.</summary>
internal static class HistoryScenario
{
    private const double MaxRatio = 1.5;

    public static async Task<Report> RunAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var few = CheckCount(arguments.Int("few", 100_000, 50_000));
        var many = CheckCount(arguments.Int("many", 5_000_000, 500_000));
        var runs = arguments.Int("runs", 21, 5);
        arguments.ThrowIfUnknown();

        await using var system = await BenchmarkSystem.StartAsync(cancellationToken);
        await using var database = new StatusDatabase(system.Database);
        var withFew = await MeasureAsync(database, few, runs, cancellationToken);
        var withMany = await MeasureAsync(database, many, runs, cancellationToken);

        var rows = withFew.Zip(withMany).Select(pair => Row(pair.First, pair.Second)).ToArray();
        var ratios = withFew.Zip(withMany).Where(pair => pair.First.HasConstantCost).Select(pair => Math.Max(
            Ratio(pair.First.Page, pair.Second.Page), Ratio(pair.First.GenericPage, pair.Second.GenericPage))).ToArray();
        var worst = ratios.Max();
        return new Report(
            $"The list of generations with {few:#,0} and {many:#,0} of them: PostgreSQL buffers read by one request, and its duration",
            ["user: list", $"page, {few:#,0}", $"page, {many:#,0}", "ratio", "generic", $"total, {few:#,0}", $"total, {many:#,0}", $"ms, {few:#,0}", $"ms, {many:#,0}"],
            rows,
            [
                $"heavy has all generations except {HistoryData.LightCount:#,0}, which belong to light and are spread evenly. A page has 50 generations.",
                "page and total: buffers from EXPLAIN (ANALYZE, BUFFERS) of the two statements that EF Core sends, prepared, with a custom plan; " +
                $"generic: of the page, with {many:#,0} generations and a generic plan. ms: the whole request to the database, warm, median of {runs}.",
                "Totals are stored as counts; with dates they are counted over the range of the index. An offset is skipped row by row.",
                $"The limit for the ratio, except for offsets, with either plan, is {Report.Number(MaxRatio)}: {(worst <= MaxRatio ? "met" : "NOT MET")}, at {Report.Number(worst, "0.00")}.",
            ]);
    }

    private static async Task<IReadOnlyList<Cost>> MeasureAsync(
        StatusDatabase database, int count, int runs, CancellationToken cancellationToken)
    {
        var watch = Stopwatch.StartNew();
        await HistoryData.FillAsync(database.DataSource, count, cancellationToken);
        Console.WriteLine($"{count:#,0} generations inserted in {watch.Elapsed.TotalSeconds:0} s");
        await using var queries = new HistoryQueries(database);
        await using var connection = await database.DataSource.OpenConnectionAsync(cancellationToken);
        var costs = new List<Cost>();
        foreach (var user in new[] { HistoryData.HeavyUser, HistoryData.LightUser })
        {
            foreach (var query in await queries.AllAsync(user, cancellationToken))
            {
                var (_, total, page) = await queries.RunAsync(query, cancellationToken);
                var times = new List<double>();
                for (var run = 0; run < runs; run++)
                {
                    var started = Stopwatch.GetTimestamp();
                    await queries.RunAsync(query, cancellationToken);
                    times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
                }

                costs.Add(new(
                    $"{user}: {query.Name}",
                    query.HasConstantCost,
                    (await page.ExplainAsync(connection, isGeneric: false, cancellationToken)).Buffers,
                    (await page.ExplainAsync(connection, isGeneric: true, cancellationToken)).Buffers,
                    (await total.ExplainAsync(connection, isGeneric: false, cancellationToken)).Buffers,
                    Statistics.Median(times)));
            }
        }

        return costs;
    }

    private static string[] Row(Cost few, Cost many) =>
    [
        few.Name,
        $"{few.Page}",
        $"{many.Page}",
        Report.Number(Ratio(few.Page, many.Page), "0.00"),
        $"{many.GenericPage}",
        $"{few.Total}",
        $"{many.Total}",
        Report.Number(few.Milliseconds),
        Report.Number(many.Milliseconds),
    ];

    private static double Ratio(long few, long many) => (double)many / Math.Max(1, few);

    // HistoryData spreads the light user's generations evenly.
    private static int CheckCount(int count) => count % 1000 == 0 && count >= 2000
        ? count
        : throw new UsageException($"few and many must be multiples of 1,000, at least 2,000, not {count}.");

    private sealed record Cost(string Name, bool HasConstantCost, long Page, long GenericPage, long Total, double Milliseconds);
}
