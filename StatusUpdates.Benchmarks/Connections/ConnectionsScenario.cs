using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Connections;

/// <summary>
/// How much memory an idle, authenticated WebSocket costs the API, each of another user, beside a bare Kestrel WebSocket. The growth of
/// the process's resident set from no sockets to N, each server in a process of its own and a fresh one for each N.
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
            var ours = new List<double>();
            for (var run = 1; run <= runs; run++)
            {
                // In turn, so that both see the same machine.
                bare.Add(await MeasureAsync(
                    () => ServerProcess.StartPartAsync("serve-bare", cancellationToken), "/ws", count, _ => null, settle, cancellationToken));
                ours.Add(await MeasureAsync(
                    () => system.StartApiAsync(ApiSettings, cancellationToken), "/ws/status", count, i => system.Token($"user-{i}"), settle, cancellationToken));
                Console.WriteLine($"{count} sockets, run {run} of {runs}: bare {bare[^1]:0.0} KiB, API {ours[^1]:0.0} KiB each");
            }

            var (floor, cost) = (Statistics.Median(bare), Statistics.Median(ours));
            rows.Add([$"{count}", Report.Number(floor), Report.Number(cost), Report.Number(cost - floor), Report.Number(cost / floor, "0.00")]);
        }

        return new Report(
            "Resident memory for each idle socket, KiB (medians)",
            ["sockets", "bare Kestrel", "API", "difference", "ratio"],
            rows,
            [
                "bare Kestrel: a WebSocket that waits in an empty receive, without user, feed or time limit.",
                "API: /ws/status with a JWT, every socket of another user, hence with a feed and a Redis subscription of its own.",
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

        // A few come and go first: what the first socket of a process costs (code, pools) is no socket's own.
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
