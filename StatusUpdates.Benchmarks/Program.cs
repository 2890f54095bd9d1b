using StatusUpdates.Benchmarks;
using StatusUpdates.Benchmarks.Connections;

if (args is ["serve-bare"])
{
    // A part of the scenario "connections", in a process of its own so that its memory is its own.
    await BareServer.RunAsync();
    return 0;
}

Dictionary<string, Func<ScenarioArguments, CancellationToken, Task<Report>>> scenarios = new(StringComparer.Ordinal)
{
    ["connections"] = ConnectionsScenario.RunAsync,
};

if (args.Length == 0 || !scenarios.TryGetValue(args[0], out var scenario))
{
    await Console.Error.WriteLineAsync(
        $"Usage: dotnet run -c Release --project StatusUpdates.Benchmarks -- <scenario> [name=value …]\nScenarios: {string.Join(", ", scenarios.Keys)}");
    return 2;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};

var report = await scenario(ScenarioArguments.Parse(args[1..]), stop.Token);
report.Print(Console.Out);
await report.SaveAsync(args[0], stop.Token);
return 0;
