using StatusUpdates.Benchmarks.Floor;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Bursts;

/// <summary>The gateway's delivery throughput at full load: the scenarios <c>fanout</c> and <c>unicast</c>.</summary>
internal static class BurstScenario
{
    private const string WhileDelivering = "while delivering, ";
    private const string ServerCores = WhileDelivering + "server, processors";
    private const string StoreCores = WhileDelivering + "Redis and PostgreSQL, processors";
    private const string LoadCores = WhileDelivering + "load, processors";

    // The share of the machine's processors above which it counts as fully used.
    private const double FullUse = 0.85;

    // All sockets of a user come from one client here. The limits that normally prevent this are not measured.
    private static readonly Dictionary<string, string> ApiSettings = new()
    {
        ["Gateway__Connections__MaxConnectionsPerUser"] = "20000",
        ["RateLimits__User__Burst"] = "20000",
    };

    public static async Task<Report> RunFanoutAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var sockets = arguments.Int("sockets", 1_000, 200);
        var burst = arguments.Int("burst", 200, 100);
        var settings = Settings.Read(arguments);
        return await RunAsync(
            $"Deliveries to {sockets} sockets of one user",
            [new("one at a time", 1, sockets, 1), new($"bursts of {burst}", 1, sockets, burst)],
            settings,
            cancellationToken);
    }

    public static async Task<Report> RunUnicastAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var users = arguments.Int("users", 1_000, 200);
        var burst = arguments.Int("burst", 10, 5);
        var settings = Settings.Read(arguments);
        return await RunAsync(
            $"Deliveries to {users} users with one socket each",
            [new($"bursts of {burst} per user", users, 1, burst)],
            settings,
            cancellationToken);
    }

    private static async Task<Report> RunAsync(
        string title, IReadOnlyList<BurstLoad> loads, Settings settings, CancellationToken cancellationToken)
    {
        await using var system = await BenchmarkSystem.StartAsync(cancellationToken);
        await using var writer = await Writer.CreateAsync(
            system.Database, loads.Max(load => load.Users), loads.Max(load => load.UpdatesPerUser), cancellationToken);
        await writer.ClaimAllAsync(cancellationToken);
        var comparison = new Comparison();
        for (var run = 1; run <= settings.Runs; run++)
        {
            foreach (var load in loads)
            {
                // Alternating: both see the same machine load.
                var bare = await RunBareAsync(system, writer, load, settings, cancellationToken);
                var api = await RunApiAsync(system, writer, load, settings, cancellationToken);
                Add(comparison, load.Name, bare, api);
                Console.WriteLine(
                    $"{load.Name}, run {run} of {settings.Runs}: bare {bare.PerSecond:#,0}/s, API {api.PerSecond:#,0}/s ({api.PerSecond / bare.PerSecond:0.00})");
            }
        }

        return new Report(title, Comparison.Columns, comparison.Rows, Notes(comparison, loads)) { Samples = comparison.Figures };
    }

    private static async Task<BurstFigures> RunBareAsync(
        BenchmarkSystem system, Writer writer, BurstLoad load, Settings settings, CancellationToken cancellationToken)
    {
        await using var server = await ServerProcess.StartHelperAsync("serve-floor", cancellationToken);
        await using var feed = await FloorFeed.ConnectAsync(server.Address, cancellationToken);
        return await new BurstRun(system, writer, load, server, feed).RunAsync(settings.WarmUp, settings.Duration, cancellationToken);
    }

    private static async Task<BurstFigures> RunApiAsync(
        BenchmarkSystem system, Writer writer, BurstLoad load, Settings settings, CancellationToken cancellationToken)
    {
        await using var server = await system.StartApiAsync(ApiSettings, cancellationToken);
        await using var redis = await RedisDelivery.ConnectAsync(system, cancellationToken);
        return await new BurstRun(system, writer, load, server, redis).RunAsync(settings.WarmUp, settings.Duration, cancellationToken);
    }

    private static void Add(Comparison comparison, string load, BurstFigures bare, BurstFigures api)
    {
        Add("deliveries, 1/s", "#,0", f => f.PerSecond);
        Add("bytes, MB/s", "#,0.0", f => f.Bytes / f.DeliverySeconds / 1e6);
        Add("server CPU, s per million deliveries", "0.00", f => f.PerMillion(f.Cpu.Server));
        Add("of which while delivering", "0.00", f => f.PerMillion(f.DeliveryCpu.Server));
        Add("Redis CPU, s per million", "0.00", f => f.PerMillion(f.Cpu.Redis));
        Add("PostgreSQL CPU, s per million", "0.00", f => f.PerMillion(f.Cpu.Postgres));
        Add("load CPU, s per million", "0.00", f => f.PerMillion(f.Cpu.Load));
        Add(ServerCores, "0.00", f => f.Cores(f.DeliveryCpu.Server));
        Add(StoreCores, "0.00", f => f.Cores(f.DeliveryCpu.Redis + f.DeliveryCpu.Postgres));
        Add(LoadCores, "0.00", f => f.Cores(f.DeliveryCpu.Load));
        Add(WhileDelivering + Comparison.Others, "0.00", f => f.Cores(f.DeliveryCpu.Others));
        Add("appends, 1/s", "#,0", f => f.Updates / f.AppendSeconds);

        void Add(string figure, string format, Func<BurstFigures, double> value) =>
            comparison.Add($"{load}: {figure}", format, value(bare), value(api));
    }

    private static List<string> Notes(Comparison comparison, IReadOnlyList<BurstLoad> loads)
    {
        List<string> notes =
        [
            "bare Kestrel: upgraded sockets to which the same bytes are written, in writes of the same size; no token, log, cursor or Redis.",
            "Each burst is appended by StatusLog in one commit, then published (API: StatusPublisher, Redis; bare: a socket), then awaited. " +
            "The time is from the publishing to the last receipt: the writer is not a bottleneck. Every client checked that it received every update once and in order.",
            "CPU per million covers the whole run, including appends; load is the benchmark's own process: writer and clients.",
        ];
        foreach (var load in loads)
        {
            var used = new[] { ServerCores, StoreCores, LoadCores, WhileDelivering + Comparison.Others }
                .Sum(part => Statistics.Median(comparison.Figures.Single(figure => figure.Name == $"{load.Name}: {part}").Api));
            notes.Add($"{load.Name}: " + (used >= FullUse * Environment.ProcessorCount
                ? "the machine's processors limit the API."
                : "the API left processors idle; the limit is the latency of a burst from one process to the next."));
        }

        notes.AddRange(comparison.Disturbances());
        return notes;
    }

    private sealed record Settings(int Runs, TimeSpan WarmUp, TimeSpan Duration)
    {
        public static Settings Read(ScenarioArguments arguments)
        {
            var settings = new Settings(
                arguments.Int("runs", 5, 1),
                TimeSpan.FromSeconds(arguments.Int("warmup", 3, 1)),
                TimeSpan.FromSeconds(arguments.Int("seconds", 8, 1)));
            arguments.ThrowIfUnknown();
            return settings;
        }
    }
}
