using StatusUpdates.Benchmarks.Floor;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Bursts;

/// <summary>How much the gateway delivers when it has to deliver all it can: the scenarios <c>fanout</c> and <c>unicast</c>.</summary>
internal static class BurstScenario
{
    private const string Share = "while delivering, ";
    private const string ServerShare = Share + "server, processors";
    private const string StoresShare = Share + "Redis and PostgreSQL, processors";
    private const string LoadShare = Share + "load, processors";

    // Of the machine's processors: above it there is nothing left to be had.
    private const double Full = 0.85;

    // All sockets of one user come from one client here; the limits that keep users from doing that are not what is measured.
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
            [new($"bursts of {burst} for each", users, 1, burst)],
            settings,
            cancellationToken);
    }

    private static async Task<Report> RunAsync(
        string title, IReadOnlyList<BurstLoad> loads, Settings settings, CancellationToken cancellationToken)
    {
        await using var system = await BenchmarkSystem.StartAsync(cancellationToken);
        await using var writer = await Writer.CreateAsync(
            system.Database, loads.Max(load => load.Users), loads.Max(load => load.UpdatesOfEach), cancellationToken);
        await writer.ClaimAllAsync(cancellationToken);
        var comparison = new Comparison();
        for (var run = 1; run <= settings.Runs; run++)
        {
            foreach (var load in loads)
            {
                // In turn, so that both see the same machine.
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
        await using var server = await ServerProcess.StartPartAsync("serve-floor", cancellationToken);
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
        Add("server's CPU, s per million deliveries", "0.00", f => f.PerMillion(f.Cpu.Server));
        Add("of which while delivering", "0.00", f => f.PerMillion(f.DeliveryCpu.Server));
        Add("Redis' CPU, s per million", "0.00", f => f.PerMillion(f.Cpu.Redis));
        Add("PostgreSQL's CPU, s per million", "0.00", f => f.PerMillion(f.Cpu.Postgres));
        Add("load's CPU, s per million", "0.00", f => f.PerMillion(f.Cpu.Load));
        Add(ServerShare, "0.00", f => f.Cores(f.DeliveryCpu.Server));
        Add(StoresShare, "0.00", f => f.Cores(f.DeliveryCpu.Redis + f.DeliveryCpu.Postgres));
        Add(LoadShare, "0.00", f => f.Cores(f.DeliveryCpu.Load));
        Add(Share + Comparison.Others, "0.00", f => f.Cores(f.DeliveryCpu.Others));
        Add("appends beside, 1/s", "#,0", f => f.Updates / f.AppendSeconds);

        void Add(string figure, string format, Func<BurstFigures, double> value) =>
            comparison.Add($"{load}: {figure}", format, value(bare), value(api));
    }

    private static List<string> Notes(Comparison comparison, IReadOnlyList<BurstLoad> loads)
    {
        List<string> notes =
        [
            "bare Kestrel: upgraded sockets that are written the same bytes, in writes of the same size; no token, log, cursor or Redis.",
            "Each burst is appended by StatusLog in one commit, then published (API: StatusPublisher, Redis; bare: a socket), then waited for. " +
            "Timed is from the publishing to the last receipt: the writer limits nothing. Every client checked that it got every update, in order, once.",
            "CPU per million is of the whole run, appends included; load is the benchmark's own process: writer and clients.",
        ];
        foreach (var load in loads)
        {
            var used = new[] { ServerShare, StoresShare, LoadShare, Share + Comparison.Others }
                .Sum(part => Statistics.Median(comparison.Figures.Single(figure => figure.Name == $"{load.Name}: {part}").Api));
            notes.Add($"{load.Name}: " + (used >= Full * Environment.ProcessorCount
                ? "what limits the API are the machine's processors."
                : "the API left processors idle; what limits is the way of a burst from one process to the next."));
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
