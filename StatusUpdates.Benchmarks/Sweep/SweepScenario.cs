using System.Diagnostics;
using System.Globalization;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Sweep;

/// <summary>
/// The cost of connected users while nothing happens: the scenario <c>sweep</c>. Two measurements: the total cost of idle users, with sockets on
/// several servers, each within a process's limit of open files; and the sweep alone, with all users in one process.
/// </summary>
internal static class SweepScenario
{
    private const double MaxProcessors = 0.1;
    private const int SocketsPerServer = 10_000;
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(3);

    public static async Task<Report> RunAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var runs = arguments.Int("runs", 5, 1);
        var users = arguments.Int("users", 20_000, 2_000);
        var duration = TimeSpan.FromSeconds(arguments.Int("seconds", 15, 5));
        arguments.ThrowIfUnknown();

        await using var system = await BenchmarkSystem.StartAsync(cancellationToken);
        await using var writer = await Writer.CreateAsync(system.Database, users, 1, cancellationToken);
        var comparison = new Comparison();
        for (var run = 1; run <= runs; run++)
        {
            // Alternating: both see the same machine load.
            var bare = await MeasureSocketsAsync(
                system, writer, () => ServerProcess.StartHelperAsync("serve-floor", cancellationToken), duration, cancellationToken);
            var api = await MeasureSocketsAsync(
                system, writer, () => system.StartApiAsync(new Dictionary<string, string>(), cancellationToken), duration, cancellationToken);
            comparison.Add("everything, with sockets: server, processors", "0.0000", bare.Server, api.Server);
            comparison.Add("everything, with sockets: PostgreSQL, processors", "0.0000", bare.Postgres, api.Postgres);
            var (sweep, once) = await MeasureSweepAsync(system, users, duration, cancellationToken);
            comparison.Add("the sweep alone: server, processors", "0.0000", null, sweep.Server);
            comparison.Add("the sweep alone: PostgreSQL, processors", "0.0000", null, sweep.Postgres);
            comparison.Add("the sweep alone: together, processors", "0.0000", null, sweep.Server + sweep.Postgres);
            comparison.Add("the sweep alone: duration of one, ms", "0.0", null, once);
            comparison.Add(Comparison.Others, "0.00", bare.Others, api.Others);
            Console.WriteLine(
                $"run {run} of {runs}: sockets, server and PostgreSQL: bare {bare.Server:0.000}, API {api.Server:0.000} + {api.Postgres:0.000}; " +
                $"sweep alone {sweep.Server:0.000} + {sweep.Postgres:0.000} processors");
        }

        var cost = Statistics.Median(comparison.Figures.Single(figure => figure.Name.Contains("together", StringComparison.Ordinal)).Api);
        return new Report(
            $"{users:#,0} connected users without updates",
            Comparison.Columns,
            comparison.Rows,
            [
                $"With sockets: {Servers(users)} server(s) that share the users, at most {SocketsPerServer:#,0} sockets each, all settings at their defaults; bare Kestrel's sockets do nothing.",
                "The sweep alone: one process with the API's feeds and a waiting cursor for each user, with the same PostgreSQL and Redis; " +
                "processor time with the sweep (every 1.5 s) minus that without it.",
                $"The limit for the sweep is a tenth of a processor: {(cost < MaxProcessors ? "met" : "NOT MET")}, at {Report.Number(cost, "0.000")}.",
                .. comparison.Disturbances(),
            ])
        {
            Samples = comparison.Figures,
        };
    }

    private static int Servers(int users) => (users + SocketsPerServer - 1) / SocketsPerServer;

    private static async Task<CpuReading> MeasureSocketsAsync(
        BenchmarkSystem system, Writer writer, Func<Task<ServerProcess>> start, TimeSpan duration, CancellationToken cancellationToken)
    {
        var servers = new List<ServerProcess>();
        var holders = new List<ServerProcess>();
        try
        {
            LoadUser[] users = [.. writer.Users];
            for (var first = 0; first < users.Length; first += SocketsPerServer)
            {
                var share = users.AsMemory(first, Math.Min(SocketsPerServer, users.Length - first));
                servers.Add(await start());
                holders.Add(await SocketHolder.StartAsync(servers[^1], share, first, system.Key, cancellationToken));
            }

            await Task.Delay(Settle, cancellationToken);
            var cost = await MeasureAsync(system, servers, duration, cancellationToken);
            foreach (var holder in holders)
            {
                await holder.PostAsync("/check", cancellationToken);
            }

            return cost;
        }
        finally
        {
            foreach (var process in holders.Concat(servers))
            {
                await process.DisposeAsync();
            }
        }
    }

    private static async Task<(CpuReading Sweep, double OnceMilliseconds)> MeasureSweepAsync(
        BenchmarkSystem system, int users, TimeSpan duration, CancellationToken cancellationToken)
    {
        await using var host = await ServerProcess.StartHelperAsync(
            "serve-feeds",
            cancellationToken,
            new Dictionary<string, string>
            {
                ["ConnectionStrings__statusdb"] = system.Database,
                ["ConnectionStrings__redis"] = system.Redis,
            });
        await host.PostAsync($"/open?users={users}", cancellationToken);

        // The first sweep is the warm-up, the second one is measured.
        await host.PostAsync("/once", cancellationToken);
        var once = double.Parse(await host.PostAsync("/once", cancellationToken), CultureInfo.InvariantCulture);
        await Task.Delay(Settle, cancellationToken);
        var without = await MeasureAsync(system, [host], duration, cancellationToken);
        await host.PostAsync("/start", cancellationToken);
        var with = await MeasureAsync(system, [host], duration, cancellationToken);
        await host.PostAsync("/stop", cancellationToken);
        await host.PostAsync("/check", cancellationToken);
        return (with - without, once);
    }

    // In processors: seconds of processor time per second.
    private static async Task<CpuReading> MeasureAsync(
        BenchmarkSystem system, IReadOnlyList<ServerProcess> servers, TimeSpan duration, CancellationToken cancellationToken)
    {
        var before = system.ReadCpu(servers);
        var started = Stopwatch.GetTimestamp();
        await Task.Delay(duration, cancellationToken);
        return (system.ReadCpu(servers) - before) / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
