using StatusUpdates.Benchmarks;
using StatusUpdates.Benchmarks.Bursts;
using StatusUpdates.Benchmarks.Connections;
using StatusUpdates.Benchmarks.Floor;
using StatusUpdates.Benchmarks.Latency;
using StatusUpdates.Benchmarks.Sweep;

// Parts of scenarios, in processes of their own.
Dictionary<string, Func<Task>> parts = new(StringComparer.Ordinal)
{
    ["serve-bare"] = BareServer.RunAsync,
    ["serve-floor"] = FloorServer.RunAsync,
    ["serve-feeds"] = FeedHost.RunAsync,
    ["hold-sockets"] = SocketHolder.RunAsync,
};

Dictionary<string, Func<ScenarioArguments, CancellationToken, Task<Report>>> scenarios = new(StringComparer.Ordinal)
{
    ["fanout"] = BurstScenario.RunFanoutAsync,
    ["unicast"] = BurstScenario.RunUnicastAsync,
    ["latency"] = LatencyScenario.RunAsync,
    ["sweep"] = SweepScenario.RunAsync,
    ["connections"] = ConnectionsScenario.RunAsync,
};

if (args is [var part, ..] && parts.TryGetValue(part, out var run))
{
    await run();
    return 0;
}

if (args.Length == 0 || !scenarios.TryGetValue(args[0], out var scenario))
{
    await Console.Error.WriteLineAsync(
        $"Usage: dotnet run -c Release --project StatusUpdates.Benchmarks -- <scenario> [--quick] [name=value …]\nScenarios: {string.Join(", ", scenarios.Keys)}");
    return 2;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};

try
{
    var report = await scenario(ScenarioArguments.Parse(args[1..]), stop.Token);
    report.Print(Console.Out);
    await report.SaveAsync(args[0], stop.Token);
    return 0;
}
catch (UsageException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 2;
}
catch (BenchmarkFailedException e)
{
    await Console.Error.WriteLineAsync($"{args[0]} FAILED: {e.Message}");
    return 1;
}
