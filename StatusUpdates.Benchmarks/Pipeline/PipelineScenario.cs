using System.Diagnostics;
using System.Globalization;
using StatusUpdates.Benchmarks.Append;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Pipeline;

/// <summary>From <c>UpdateStatusAsync</c> in the worker to a client's receipt: the scenario <c>pipeline</c>.</summary>
internal static class PipelineScenario
{
    private const int MaxPerSecond = 100_000;

    public static async Task<Report> RunAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var runs = arguments.Int("runs", 5, 1);
        var users = arguments.Int("users", 512, 64);
        var rate = arguments.Int("rate", 1_000, 1_000);
        var seconds = arguments.Int("seconds", 10, 2);
        var warmUp = TimeSpan.FromSeconds(arguments.Int("warmup", 3, 1));
        arguments.ThrowIfUnknown();
        var milliseconds = (int)(TimeSpan.FromSeconds(seconds) + warmUp).TotalMilliseconds;

        await using var system = await BenchmarkSystem.StartAsync(cancellationToken);
        await using var writer = await Writer.CreateAsync(system.Database, users, 1, cancellationToken);
        await using var worker = await StartWorkerAsync(system, users, cancellationToken);
        await using var api = await system.StartApiAsync(new Dictionary<string, string>(), cancellationToken);
        var run = new PipelineRun(system, worker, api, writer.Users);
        List<(double Append, PipelineFigures Steady, PipelineFigures Saturated)> figures = [];
        for (var i = 1; i <= runs; i++)
        {
            // Write-back and vacuum work of the previous load must not count for this one.
            await system.SettleAsync(cancellationToken);
            var steady = await run.RunAsync(
                $"/steady?rate={rate}&milliseconds={milliseconds}", warmUp, rate * milliseconds / 1000, cancellationToken);
            var append = await AppendAsync(system, writer.Users, warmUp, TimeSpan.FromSeconds(seconds), cancellationToken);
            await system.SettleAsync(cancellationToken);
            var saturated = await run.RunAsync($"/saturated?milliseconds={milliseconds}", warmUp, MaxPerSecond * milliseconds / 1000, cancellationToken);
            figures.Add((append, steady, saturated));
            Console.WriteLine(
                $"run {i} of {runs}: append {append:#,0}/s; at {steady.PerSecond:#,0}/s p50 {steady.ToReceipt.P50:0.0} ms, p99 {steady.ToReceipt.P99:0.0} ms; " +
                $"saturated {saturated.PerSecond:#,0}/s");
        }

        return new Report(
            $"From UpdateStatusAsync in a worker to a client on a WebSocket: {users:#,0} users with one generation and one socket each",
            ["median of the runs", "updates/s", "/ append", "p50, ms", "p99, ms", "durable p50, ms", "durable p99, ms", "worker", "API", "PostgreSQL", "Redis", "clients"],
            [
                ["floor: append only, same number of callers", Median("#,0", figures.Select(f => f.Append)), "1.00", "", "", "", "", "", "", "", "", ""],
                Row("at a steady rate", figures.Select(f => (f.Steady, f.Append))),
                Row("at saturation", figures.Select(f => (f.Saturated, f.Append))),
            ],
            [
                "At saturation: each generation's next update is sent as soon as the previous call returns.",
                "ms: from the call to the client's receipt; durable: from the call to its return. The last five columns: processors in use; all share one machine.",
                "append: the same generations through StatusLog in this process, without publishing and without clients.",
                "Every client checked that it received every update once and in order, and every call's update was received.",
                .. Comparison.Disturbances(figures.SelectMany(f => (double[])[f.Steady.Others, f.Saturated.Others])),
            ])
        {
            Samples =
            [
                new("at saturation, updates/s; compared to append", "#,0", [.. figures.Select(f => f.Append)], [.. figures.Select(f => f.Saturated.PerSecond)]),
                new("at a steady rate, p99 ms", "0.00", [], [.. figures.Select(f => f.Steady.ToReceipt.P99)]),
            ],
        };
    }

    private static async Task<ServerProcess> StartWorkerAsync(BenchmarkSystem system, int jobs, CancellationToken cancellationToken)
    {
        var settings = new Dictionary<string, string>
        {
            ["Worker__Concurrency"] = jobs.ToString(CultureInfo.InvariantCulture),
            ["Attempts__Timeout"] = "1.00:00:00",
        };
        var worker = await system.StartWorkerAsync("run-pipeline", settings, cancellationToken);
        while (int.Parse(await worker.PostAsync("/jobs", cancellationToken), CultureInfo.InvariantCulture) < jobs)
        {
            await Task.Delay(50, cancellationToken);
        }

        return worker;
    }

    private static async Task<double> AppendAsync(
        BenchmarkSystem system, IReadOnlyList<LoadUser> users, TimeSpan warmUp, TimeSpan duration, CancellationToken cancellationToken)
    {
        await using var database = new StatusDatabase(system.Database);
        await using var log = new StatusLog(database);
        var callers = new Callers();
        callers.Start(users.Count, async (caller, call) =>
        {
            var result = await log.AppendAsync(new StatusChange
            {
                GenerationId = users[caller].Generations[0],
                UserId = users[caller].Id,
                Status = GenerationStatus.Processing,
                Attempt = 1,
                Progress = call % 100,
                TraceParent = TraceParent.New(),
            });
            if (!result.IsCommitted)
            {
                throw new BenchmarkFailedException($"The log refused an update: {result.Refusal}.");
            }
        });
        var window = await callers.RunForAsync(warmUp, duration, cancellationToken);
        return callers.Durations(window, ..).Count() / Stopwatch.GetElapsedTime(window.From, window.To).TotalSeconds;
    }

    private static string[] Row(string name, IEnumerable<(PipelineFigures Figures, double Append)> runs)
    {
        var all = runs.ToArray();
        return
        [
            name,
            Of("#,0", f => f.PerSecond),
            Median("0.00", all.Select(run => run.Figures.PerSecond / run.Append)),
            Of("0.0", f => f.ToReceipt.P50),
            Of("0.0", f => f.ToReceipt.P99),
            Of("0.0", f => f.ToReturn.P50),
            Of("0.0", f => f.ToReturn.P99),
            Of("0.00", f => f.Worker),
            Of("0.00", f => f.Api),
            Of("0.00", f => f.Postgres),
            Of("0.00", f => f.Redis),
            Of("0.00", f => f.Load),
        ];

        string Of(string format, Func<PipelineFigures, double> value) => Median(format, all.Select(run => value(run.Figures)));
    }

    private static string Median(string format, IEnumerable<double> values) => Report.Number(Statistics.Median(values), format);
}
