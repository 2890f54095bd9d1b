using System.Diagnostics;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Benchmarks.Webhooks;

/// <summary>
/// Deliveries to webhooks by a worker process: at full speed, compared to a bare <see cref="HttpClient"/> loop; and at a steady rate, without and
/// with bad receivers.
/// </summary>
internal static class WebhookScenario
{
    private const int MaxConcurrentPosts = 64;

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);

    public static async Task<Report> RunAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var settings = Settings.Read(arguments);
        await using var system = await BenchmarkSystem.StartAsync(cancellationToken);
        await using var database = new StatusDatabase(system.Database);
        await using var redis = await RedisDelivery.ConnectAsync(system, cancellationToken);
        await using var receiver = await Receiver.StartAsync(cancellationToken);
        await using var writer = await Writer.CreateAsync(system.Database, settings.Webhooks, settings.Generations, cancellationToken);
        await writer.ClaimAllAsync(cancellationToken);
        var registrations = new Registrations(database);
        await registrations.RegisterAsync(writer.Users.Select(user => (user.Id, $"{receiver.Address}/{user.Id}")), cancellationToken);
        await using var worker = await DeliveryHost.StartAsync(system, cancellationToken);
        await using var poster = await ServerProcess.StartHelperAsync(BarePoster.Command, cancellationToken);
        var load = new WebhookLoad(writer, redis, receiver);

        // Warm-up: compiles code and opens connections.
        await load.BurstAsync(settings.Deliveries / 5, cancellationToken);
        await BarePoster.PostAsync(poster, receiver.Address, settings.Deliveries / 5, receiver.MeanSize, MaxConcurrentPosts, cancellationToken);

        List<WebhookFigures> figures = [];
        for (var run = 1; run <= settings.Runs; run++)
        {
            await system.SettleAsync(cancellationToken);
            var bare = await MeasureAsync(system, [poster], settings.Deliveries, () => BarePoster.PostAsync(
                poster, receiver.Address, settings.Deliveries, receiver.MeanSize, MaxConcurrentPosts, cancellationToken));
            await system.SettleAsync(cancellationToken);
            var burst = await MeasureAsync(system, [worker], settings.Deliveries, () => load.BurstAsync(settings.Deliveries, cancellationToken));

            await system.SettleAsync(cancellationToken);
            var (steady, alone) = await SteadyAsync(system, worker, load, settings, cancellationToken);
            await registrations.RegisterAsync(
                writer.Users.Take(settings.Bad).Select((user, i) => (user.Id, $"{receiver.Address}/bad/{((string[])["error", "hang", "close"])[i % 3]}/{i}")),
                cancellationToken);
            var (_, withBad) = await SteadyAsync(system, worker, load, settings, cancellationToken);
            await registrations.RemoveBadAsync(cancellationToken);
            figures.Add(new(bare, burst, steady, alone, withBad));
            Console.WriteLine(
                $"run {run} of {settings.Runs}: bare {bare.PerSecond:#,0}/s, webhooks {burst.PerSecond:#,0}/s ({burst.PerSecond * 60:#,0}/min); " +
                $"at {settings.PerMinute:#,0}/min p50 {alone.P50:0.0} ms, p99 {alone.P99:0.0} ms; with bad receivers {withBad.P50:0.0} and {withBad.P99:0.0} ms");
        }

        if (receiver.OutOfOrder > 0 || await registrations.CountNotDeliveredFirstAsync(cancellationToken) is not 0)
        {
            throw new BenchmarkFailedException("A delivery arrived out of its generation's order, or was not recorded as delivered by its first attempt.");
        }

        return Table(settings, figures, receiver);
    }

    private static async Task<(DeliveryCost Cost, Latency Latency)> SteadyAsync(
        BenchmarkSystem system, ServerProcess worker, WebhookLoad load, Settings settings, CancellationToken cancellationToken)
    {
        IReadOnlyList<double> latencies = [];
        var count = settings.PerMinute * settings.Seconds / 60;
        var cost = await MeasureAsync(system, [worker], count, async () =>
            latencies = await load.SteadyAsync(count, TimeSpan.FromSeconds(settings.Seconds), Tick, cancellationToken));
        var sorted = latencies.Order().ToArray();
        return (cost, new(Statistics.Percentile(sorted, 0.5), Statistics.Percentile(sorted, 0.99)));
    }

    private static async Task<DeliveryCost> MeasureAsync(
        BenchmarkSystem system, IReadOnlyList<ServerProcess> processes, int count, Func<Task> run)
    {
        var before = system.ReadCpu(processes);
        var started = Stopwatch.GetTimestamp();
        await run();
        var elapsed = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var cpu = system.ReadCpu(processes) - before;
        return new(count / elapsed, cpu.Server * 1000 / count, cpu.Postgres * 1000 / count, cpu.Others / elapsed);
    }

    private static Report Table(Settings settings, IReadOnlyList<WebhookFigures> figures, Receiver receiver)
    {
        return new Report(
            $"Deliveries to {settings.Webhooks} webhooks of as many users, {settings.Generations} generations each",
            ["median of the runs", "deliveries/s", "deliveries/min", "/ bare", "sender, CPU ms each", "/ bare", "PostgreSQL, CPU ms each", "p50, ms", "p99, ms"],
            [
                Row("floor: HttpClient in a loop", f => f.Bare, null),
                Row("webhooks, at full speed", f => f.Burst, null),
                Row("webhooks, at a steady rate", f => f.Steady, f => f.Alone),
                Row($"the same webhooks, with {settings.Bad} bad receivers in addition", null, f => f.WithBad),
            ],
            [
                $"Messages of {receiver.MeanSize} bytes on average; the floor posts as many bytes to the same receiver, {MaxConcurrentPosts} at a time, and does nothing else. " +
                "Sender: only the worker, or the loop. A delivery is claimed, read, signed twice (HMAC-SHA256, Ed25519), posted, and recorded with its cursor.",
                $"Steady: {settings.PerMinute:#,0} per minute for {settings.Seconds} s, one update per commit. ms: from the commit to the receipt. Bad receivers answer 500, hang or close the connection.",
                $"Checked: every delivery arrived in its generation's order and was recorded; {receiver.Repeated} arrived more than once.",
                .. Comparison.Disturbances(figures.SelectMany(f => (double[])[f.Bare.Others, f.Burst.Others, f.Steady.Others])),
            ])
        {
            Samples =
            [
                new("at full speed, deliveries/s, compared to bare", "#,0", [.. figures.Select(f => f.Bare.PerSecond)], [.. figures.Select(f => f.Burst.PerSecond)]),
                new("sender CPU ms each, compared to bare", "0.000", [.. figures.Select(f => f.Bare.Sender)], [.. figures.Select(f => f.Burst.Sender)]),
                new("p99 ms with bad receivers, compared to without", "0.0", [.. figures.Select(f => f.Alone.P99)], [.. figures.Select(f => f.WithBad.P99)]),
            ],
        };

        // Ratios are taken within each run: other load on the machine affects both sides about equally.
        string[] Row(string name, Func<WebhookFigures, DeliveryCost>? cost, Func<WebhookFigures, Latency>? latency) =>
        [
            name,
            cost is null ? "" : Of("#,0", f => cost(f).PerSecond),
            cost is null ? "" : Of("#,0", f => cost(f).PerSecond * 60),
            cost is null ? "" : Of("0.00", f => cost(f).PerSecond / f.Bare.PerSecond),
            cost is null ? "" : Of("0.000", f => cost(f).Sender),
            cost is null ? "" : Of("0.00", f => cost(f).Sender / f.Bare.Sender),
            cost is null ? "" : Of("0.000", f => cost(f).Postgres),
            latency is null ? "" : Of("0.0", f => latency(f).P50),
            latency is null ? "" : Of("0.0", f => latency(f).P99),
        ];

        string Of(string format, Func<WebhookFigures, double> value) => Report.Number(Statistics.Median(figures.Select(value)), format);
    }

    private sealed record Settings(int Runs, int Webhooks, int Generations, int Deliveries, int PerMinute, int Seconds, int Bad)
    {
        public static Settings Read(ScenarioArguments arguments)
        {
            var settings = new Settings(
                arguments.Int("runs", 5, 1),
                arguments.Int("webhooks", 50, 20),
                arguments.Int("generations", 10, 4),
                arguments.Int("deliveries", 20_000, 1_000),
                arguments.Int("rate", 10_000, 10_000),
                arguments.Int("seconds", 20, 3),
                arguments.Int("bad", 15, 6));
            arguments.ThrowIfUnknown();
            return settings;
        }
    }
}

/// <summary>The cost of deliveries.</summary>
/// <param name="PerSecond">Deliveries per second.</param>
/// <param name="Sender">Processor time of the sending process per delivery, in ms.</param>
/// <param name="Postgres">Processor time of PostgreSQL per delivery, in ms.</param>
/// <param name="Others">Processors used by other processes on the machine.</param>
internal readonly record struct DeliveryCost(double PerSecond, double Sender, double Postgres, double Others);

/// <summary>From commit to receipt, in ms.</summary>
internal readonly record struct Latency(double P50, double P99);

internal sealed record WebhookFigures(DeliveryCost Bare, DeliveryCost Burst, DeliveryCost Steady, Latency Alone, Latency WithBad);
