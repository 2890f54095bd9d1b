using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Connections;

/// <summary>
/// The API's memory per idle, authenticated WebSocket, each of a different user, compared to a bare Kestrel WebSocket. Measured as the growth of
/// the process's resident set from 0 to N sockets; each server runs in its own process, a fresh one for each N.
/// </summary>
internal static class ConnectionsScenario
{
    private static readonly Dictionary<string, string> ApiSettings = [];

    public static async Task<Report> RunAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var runs = arguments.Int("runs", 5, 1);
        var settle = TimeSpan.FromSeconds(arguments.Int("settle", 5, 1));
        int[] counts = [arguments.Int("small", 1_000, 200), arguments.Int("large", 10_000, 1_000)];
        arguments.ThrowIfUnknown();

        await using var system = await BenchmarkSystem.StartAsync(cancellationToken);
        var rows = new List<IReadOnlyList<string>>();
        foreach (var count in counts)
        {
            var bare = new List<double>();
            var api = new List<double>();
            for (var run = 1; run <= runs; run++)
            {
                // Alternating: both see the same machine load.
                bare.Add(await MeasureAsync(
                    () => ServerProcess.StartHelperAsync("serve-bare", cancellationToken), "/ws", count, _ => null, settle, cancellationToken));
                api.Add(await MeasureAsync(
                    () => system.StartApiAsync(ApiSettings, cancellationToken), "/ws/status", count, i => system.Token($"user-{i}"), settle, cancellationToken));
                Console.WriteLine($"{count} sockets, run {run} of {runs}: bare {bare[^1]:0.0} KiB, API {api[^1]:0.0} KiB each");
            }

            var (floor, cost) = (Statistics.Median(bare), Statistics.Median(api));
            rows.Add([$"{count}", Report.Number(floor), Report.Number(cost), Report.Number(cost - floor), Report.Number(cost / floor, "0.00")]);
        }

        return new Report(
            "Resident memory per idle socket, KiB (medians)",
            ["sockets", "bare Kestrel", "API", "difference", "ratio"],
            rows,
            [
                "bare Kestrel: a WebSocket that waits in an empty receive, without user, feed or time limit.",
                "API: /ws/status with a JWT. Every socket has a different user, hence its own feed and Redis subscription.",
            ]);
    }

    private static async Task<double> MeasureAsync(
        Func<Task<ServerProcess>> start,
        string path,
        int count,
        Func<int, string?> tokenOf,
        TimeSpan settle,
        CancellationToken cancellationToken)
    {
        await using var server = await start();

        // A few sockets first: one-time costs (code, pools) must not count.
        using (var warmUp = new IdleSockets())
        {
            await warmUp.OpenAsync(server.Address, path, 200, tokenOf, 16, cancellationToken);
        }

        await Task.Delay(settle, cancellationToken);
        var before = server.ResidentBytes();
        using var sockets = new IdleSockets();
        await sockets.OpenAsync(server.Address, path, count, tokenOf, 32, cancellationToken);
        await Task.Delay(settle, cancellationToken);
        return (server.ResidentBytes() - before) / 1024.0 / count;
    }
}
