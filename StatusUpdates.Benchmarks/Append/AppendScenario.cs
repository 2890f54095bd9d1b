using StackExchange.Redis;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Append;

/// <summary>Durable updates per second through <see cref="StatusLog"/>: the scenario <c>append</c>.</summary>
internal static class AppendScenario
{
    private const string Floor = "floor: raw SQL in batches";
    private const string OneByOne = "one update per transaction, 1 caller";
    private const string Log512 = "log, 512 callers";
    private const int ManyCallers = 512;
    private const int FewCallers = 64;

    public static async Task<Report> RunAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var runs = arguments.Int("runs", 5, 1);
        var users = arguments.Int("users", 1_000, 100);
        var generationsOfEach = arguments.Int("generations", 10, 10);
        var options = new StatusLogOptions();
        options.Lanes = arguments.Int("lanes", options.Lanes, options.Lanes);
        options.MaxBatch = arguments.Int("batch", options.MaxBatch, options.MaxBatch);
        var warmUp = TimeSpan.FromMilliseconds(arguments.Int("warmup-ms", 500, 200));
        var duration = TimeSpan.FromMilliseconds(arguments.Int("duration-ms", 4_000, 500));
        arguments.ThrowIfUnknown();

        await using var system = await BenchmarkSystem.StartAsync(cancellationToken);
        var many = await FillAsync(system, "user", users, generationsOfEach, cancellationToken);
        var hot = await FillAsync(system, "hot", 1, ManyCallers, cancellationToken);
        string[] names = [.. many.Select(m => m.UserId).Distinct()];
        await using var floor = await RawWriter.CreateAsync(system.Database, "floor", withIndexes: true, names, cancellationToken);
        await using var bareFloor = await RawWriter.CreateAsync(system.Database, "bare_floor", withIndexes: false, names, cancellationToken);
        var run = new AppendRun(system, options, many, hot, floor, bareFloor, warmUp, duration);
        await using var redis = await ConnectionMultiplexer.ConnectAsync(system.Redis + ",abortConnect=false,connectRetry=100");
        var publisher = new StatusPublisher(redis);

        // The floor's batches are as large as those of the log.
        var batch = 1;
        List<(string Name, Func<Task<AppendFigures>> Run)> cases =
        [
            (Log512, async () =>
            {
                var figures = await run.LogAsync(ManyCallers, 0, null, cancellationToken);
                batch = Math.Max(1, (int)Math.Round(figures.PerCommit));
                return figures;
            }),
            (Floor, () => run.RawBatchesAsync(withIndexes: true, setBased: false, batch, cancellationToken)),
            ("raw SQL, one statement per batch", () => run.RawBatchesAsync(withIndexes: true, setBased: true, batch, cancellationToken)),
            ("the same without the log's indexes", () => run.RawBatchesAsync(withIndexes: false, setBased: true, batch, cancellationToken)),
            (OneByOne, () => run.OneByOneAsync(1, cancellationToken)),
            ("one update per transaction, 32 callers", () => run.OneByOneAsync(32, cancellationToken)),
            ("log, 1 caller", () => run.LogAsync(1, 0, null, cancellationToken)),
            ("log, 8 callers", () => run.LogAsync(8, 0, null, cancellationToken)),
            ("log, 64 callers", () => run.LogAsync(FewCallers, 0, null, cancellationToken)),
            ("log, 512 callers, all on one user", () => run.LogAsync(0, ManyCallers, null, cancellationToken)),
            ("log, 64 callers next to 448 on one user: the 64", () => run.LogAsync(FewCallers, ManyCallers - FewCallers, null, cancellationToken)),
            ("log, 512 callers, publishing, Redis up", () => run.LogAsync(ManyCallers, 0, publisher, cancellationToken)),
            ("log, 512 callers, publishing, Redis killed", async () =>
            {
                await system.KillRedisAsync();
                var figures = await run.LogAsync(ManyCallers, 0, publisher, cancellationToken);
                await system.RestartRedisAsync(cancellationToken);
                await redis.GetDatabase().PingAsync().WaitAsync(cancellationToken);
                return figures;
            }),
        ];

        // Not counted: opens connections, prepares plans and compiles code.
        await run.LogAsync(ManyCallers, 0, publisher, cancellationToken);
        await run.RawBatchesAsync(withIndexes: true, setBased: false, ManyCallers / options.Lanes, cancellationToken);
        await run.RawBatchesAsync(withIndexes: true, setBased: true, ManyCallers / options.Lanes, cancellationToken);
        var figures = cases.ToDictionary(c => c.Name, _ => new List<AppendFigures>(), StringComparer.Ordinal);
        for (var i = 1; i <= runs; i++)
        {
            foreach (var (name, measure) in cases)
            {
                figures[name].Add(await measure());
            }

            Console.WriteLine($"run {i} of {runs}, updates/s: {string.Join(", ", cases.Select(c => $"{c.Name} {figures[c.Name][^1].PerSecond:#,0}"))}");
        }

        return new Report(
            $"Durable updates per second over {many.Count:#,0} generations of {users:#,0} users; {options.Lanes} connections",
            ["median of the runs", "updates/s", "/ floor", "/ one by one", "p50, ms", "p99, ms", "per commit", "client, µs", "PostgreSQL, µs", "CPU / floor"],
            [.. cases.Select(c => Row(c.Name, figures[c.Name], figures[Floor], figures[OneByOne]))],
            [
                "floor: only increments the user's counter and inserts the event, into a table with the log's columns and indexes. It uses raw Npgsql (NpgsqlBatch) with one statement " +
                "per update and batches as large as the log's. 'One statement per batch' does the same set-based; 'one update per transaction' is the floor without batches.",
                "Every caller has one update in flight. p50 and p99 are the durations of calls (of the floor: of batches). Client and PostgreSQL: processor time per update.",
                "Checked after each run: the log has as many updates as were acknowledged, and their seqs have no gap.",
                .. Comparison.Disturbances(figures[Floor].Select(f => f.Cpu.Others / f.Seconds)),
            ])
        {
            Samples = [.. cases.Select(c => new Samples(
                c.Name + ", updates/s", "#,0", [.. figures[Floor].Select(f => f.PerSecond)], [.. figures[c.Name].Select(f => f.PerSecond)]))],
        };
    }

    private static async Task<IReadOnlyList<(string UserId, string GenerationId)>> FillAsync(
        BenchmarkSystem system, string prefix, int users, int generationsOfEach, CancellationToken cancellationToken)
    {
        await using var writer = await Writer.CreateAsync(system.Database, users, generationsOfEach, cancellationToken, prefix);
        await writer.ClaimAllAsync(cancellationToken);

        // Interleaved users, as in production.
        return [.. Enumerable.Range(0, generationsOfEach).SelectMany(i => writer.Users.Select(user => (user.Id, user.Generations[i])))];
    }

    private static string[] Row(string name, List<AppendFigures> runs, List<AppendFigures> floor, List<AppendFigures> oneByOne) =>
    [
        name,
        Median("#,0", runs.Select(f => f.PerSecond)),
        Median("0.00", runs.Zip(floor, (f, other) => f.PerSecond / other.PerSecond)),
        Median("0.0", runs.Zip(oneByOne, (f, other) => f.PerSecond / other.PerSecond)),
        Median("0.00", runs.Select(f => f.Calls.P50)),
        Median("0.00", runs.Select(f => f.Calls.P99)),
        Median("0.0", runs.Select(f => f.PerCommit)),
        Median("0.0", runs.Select(f => f.Microseconds(f.Cpu.Load))),
        Median("0.0", runs.Select(f => f.Microseconds(f.Cpu.Postgres))),
        Median("0.00", runs.Zip(floor, (f, other) => f.Microseconds(f.Cpu.Load + f.Cpu.Postgres) / other.Microseconds(other.Cpu.Load + other.Cpu.Postgres))),
    ];

    private static string Median(string format, IEnumerable<double> values) => Report.Number(Statistics.Median(values), format);
}
