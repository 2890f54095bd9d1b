using System.Runtime.InteropServices;
using StatusUpdates.Benchmarks;
using StatusUpdates.Benchmarks.Append;
using StatusUpdates.Benchmarks.Bursts;
using StatusUpdates.Benchmarks.Churn;
using StatusUpdates.Benchmarks.Claims;
using StatusUpdates.Benchmarks.Connections;
using StatusUpdates.Benchmarks.Floor;
using StatusUpdates.Benchmarks.History;
using StatusUpdates.Benchmarks.Latency;
using StatusUpdates.Benchmarks.Pipeline;
using StatusUpdates.Benchmarks.Sweep;
using StatusUpdates.Benchmarks.Webhooks;

// Helper processes that scenarios start.
Dictionary<string, Func<Task>> helpers = new(StringComparer.Ordinal)
{
    ["serve-bare"] = BareServer.RunAsync,
    ["serve-floor"] = FloorServer.RunAsync,
    ["serve-feeds"] = FeedHost.RunAsync,
    ["run-jobs"] = JobHost.RunAsync,
    ["run-pipeline"] = PipelineHost.RunAsync,
    [DeliveryHost.Command] = DeliveryHost.RunAsync,
    [BarePoster.Command] = BarePoster.RunAsync,
    ["hold-sockets"] = SocketHolder.RunAsync,
};

Dictionary<string, Func<ScenarioArguments, CancellationToken, Task<Report>>> scenarios = new(StringComparer.Ordinal)
{
    ["fanout"] = BurstScenario.RunFanoutAsync,
    ["unicast"] = BurstScenario.RunUnicastAsync,
    ["latency"] = LatencyScenario.RunAsync,
    ["sweep"] = SweepScenario.RunAsync,
    ["append"] = AppendScenario.RunAsync,
    ["pipeline"] = PipelineScenario.RunAsync,
    ["claim"] = ClaimScenario.RunAsync,
    ["webhooks"] = WebhookScenario.RunAsync,
    ["connections"] = ConnectionsScenario.RunAsync,
    ["history"] = HistoryScenario.RunAsync,
    ["churn"] = ChurnScenario.RunAsync,
};

if (args is [var command, ..] && helpers.TryGetValue(command, out var run))
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

// On both signals the started servers are stopped before this process exits.
using var stop = new CancellationTokenSource();
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);

try
{
    var report = await scenario(ScenarioArguments.Parse(args[1..]), stop.Token);
    report.Print(Console.Out);
    await report.SaveAsync(args[0], stop.Token);
    return 0;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    await Console.Error.WriteLineAsync($"{args[0]} was stopped.");
    return 130;
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

void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.Cancel();
}
