using StatusUpdates.Benchmarks.Floor;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Latency;

/// <summary>The time from an update's commit to its client's receipt, at a steady rate over many users: the scenario <c>latency</c>.</summary>
internal static class LatencyScenario
{
    public static async Task<Report> RunAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var runs = arguments.Int("runs", 5, 1);
        var load = new LatencyLoad(
            arguments.Int("users", 1_000, 200),
            arguments.Int("rate", 2_000, 2_000),
            TimeSpan.FromSeconds(arguments.Int("warmup", 5, 2)),
            TimeSpan.FromSeconds(arguments.Int("seconds", 15, 3)));
        arguments.ThrowIfUnknown();

        await using var system = await BenchmarkSystem.StartAsync(cancellationToken);
        await using var writer = await Writer.CreateAsync(system.Database, load.Users, 1, cancellationToken);
        await writer.ClaimAllAsync(cancellationToken);
        var comparison = new Comparison();
        for (var run = 1; run <= runs; run++)
        {
            // Alternating: both see the same machine load.
            var bare = await RunBareAsync(system, writer, load, cancellationToken);
            var api = await RunApiAsync(system, writer, load, cancellationToken);
            Add(comparison, bare, api);
            Console.WriteLine(
                $"run {run} of {runs}, p50 / p99 / max in ms: bare {bare.Delivery.P50:0.0} / {bare.Delivery.P99:0.0} / {bare.Delivery.Max:0.0}, " +
                $"API {api.Delivery.P50:0.0} / {api.Delivery.P99:0.0} / {api.Delivery.Max:0.0}");
        }

        return new Report(
            $"From commit to receipt at {load.Rate:#,0} updates/s over {load.Users:#,0} users with one socket each",
            Comparison.Columns,
            comparison.Rows,
            [
                "Measured from the return of the append, when the commit is known, until the client has read the update.",
                "bare Kestrel: the same appends by StatusLog, then the same bytes over a socket to a server that writes them to the user's socket; for the API, by StatusPublisher and Redis.",
                "Every client checked that it received every update once and in order.",
                .. comparison.Disturbances(),
            ])
        {
            Samples = comparison.Figures,
        };
    }

    private static async Task<LatencyFigures> RunBareAsync(
        BenchmarkSystem system, Writer writer, LatencyLoad load, CancellationToken cancellationToken)
    {
        await using var server = await ServerProcess.StartHelperAsync("serve-floor", cancellationToken);
        await using var feed = await FloorFeed.ConnectAsync(server.Address, cancellationToken);
        return await new LatencyRun(system, writer, load, server, feed).RunAsync(cancellationToken);
    }

    private static async Task<LatencyFigures> RunApiAsync(
        BenchmarkSystem system, Writer writer, LatencyLoad load, CancellationToken cancellationToken)
    {
        await using var server = await system.StartApiAsync(new Dictionary<string, string>(), cancellationToken);
        await using var redis = await RedisDelivery.ConnectAsync(system, cancellationToken);
        return await new LatencyRun(system, writer, load, server, redis).RunAsync(cancellationToken);
    }

    private static void Add(Comparison comparison, LatencyFigures bare, LatencyFigures api)
    {
        Add("commit to receipt, p50, ms", "0.00", f => f.Delivery.P50);
        Add("commit to receipt, p99, ms", "0.00", f => f.Delivery.P99);
        Add("commit to receipt, max, ms", "0.0", f => f.Delivery.Max);
        Add("append, p50, ms", "0.00", f => f.Append.P50);
        Add("append, p99, ms", "0.00", f => f.Append.P99);
        Add("updates, 1/s", "#,0", f => f.PerSecond);
        Add("server CPU, s per million deliveries", "0.00", f => f.PerMillion(f.Cpu.Server));
        Add("Redis CPU, s per million", "0.00", f => f.PerMillion(f.Cpu.Redis));
        Add("PostgreSQL CPU, s per million", "0.00", f => f.PerMillion(f.Cpu.Postgres));
        Add("load CPU, s per million", "0.00", f => f.PerMillion(f.Cpu.Load));
        Add(Comparison.Others, "0.00", f => f.Cpu.Others / f.Seconds);

        void Add(string figure, string format, Func<LatencyFigures, double> value) => comparison.Add(figure, format, value(bare), value(api));
    }
}
