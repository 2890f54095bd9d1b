using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Data.Database;
using StatusUpdates.ResultStore;
using StatusUpdates.ResultStore.Contents;
using StatusUpdates.Worker.Retention;

namespace StatusUpdates.Benchmarks.Churn;

/// <summary>Table sizes under a steady load in which retention removes as much as is added: the scenario <c>churn</c>.</summary>
internal static class ChurnScenario
{
    private const int SampleCount = 6;
    private static readonly TimeSpan RetentionInterval = TimeSpan.FromSeconds(1);

    // The default of one minute is too long for a run of a few minutes.
    private static readonly Dictionary<string, string> ServerSettings = new() { ["autovacuum_naptime"] = "5s" };

    public static async Task<Report> RunAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var seconds = arguments.Int("seconds", 120, 18);
        var rate = arguments.Int("rate", 100, 50);
        var users = arguments.Int("users", 200, 50);
        var progress = arguments.Int("progress", 10, 10);
        var keep = arguments.Int("keep", 10, 3);
        arguments.ThrowIfUnknown();

        await using var system = await BenchmarkSystem.StartAsync(cancellationToken, settings: ServerSettings);
        await using var database = new StatusDatabase(system.Database);
        await using var load = new ChurnLoad(database, users, rate, progress);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var removed = (Generations: 0L, Updates: 0L);
        var running = Task.WhenAll(load.RunAsync(stop.Token), RemoveAsync(stop.Token));
        var samples = new List<(TimeSpan At, IReadOnlyList<ChurnSizes> Sizes)>();
        var started = Stopwatch.GetTimestamp();
        for (var sample = 1; sample <= SampleCount; sample++)
        {
            var due = TimeSpan.FromSeconds((double)seconds * sample / SampleCount) - Stopwatch.GetElapsedTime(started);
            if (await Task.WhenAny(running, Task.Delay(due > TimeSpan.Zero ? due : TimeSpan.Zero, cancellationToken)) == running)
            {
                await running;
            }

            var sizes = await ChurnSizes.ReadAsync(database.DataSource, cancellationToken);
            samples.Add((Stopwatch.GetElapsedTime(started), sizes));
            Console.WriteLine($"{samples[^1].At.TotalSeconds:0} s: {load.Completed:#,0} of {load.Submitted:#,0} generations completed, {removed.Generations:#,0} deleted");
        }

        await stop.CancelAsync();
        try
        {
            await running;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Stopped. Earlier failures are thrown.
        }

        return CreateReport(
            samples,
            [
                $"{load.Submitted:#,0} generations of {users:#,0} users were submitted, each with {progress} progress updates and an end. The worker's retention, run every second, " +
                $"removed {removed.Generations:#,0} generations, {keep} s after their end, and {removed.Updates:#,0} updates, {keep} s after they were written.",
                "PostgreSQL has its default settings and the migrations' settings per table, except autovacuum_naptime = 5s instead of one minute.",
                $"HOT: the share of row updates that touched no index. Of a generation's {progress + 2} updates, the claim and the end change its entry in the list's index, " +
                $"so at most {Report.Number(100.0 * progress / (progress + 2), "0")} % can be HOT.",
            ]);

        async Task RemoveAsync(CancellationToken token)
        {
            var options = new RetentionOptions { Generations = TimeSpan.FromSeconds(keep), Updates = TimeSpan.FromSeconds(keep) };
            var contents = new ContentRemovals(
                database, new FolderContentStore(Path.GetTempPath(), mayCreate: false, writes: false), NullLogger<ContentRemovals>.Instance);
            using var retention = new RetentionService(
                database, contents, Options.Create(options), TimeProvider.System, NullLogger<RetentionService>.Instance);
            while (true)
            {
                await Task.Delay(RetentionInterval, token);
                var pass = await retention.RunOnceAsync(token);
                removed = (removed.Generations + pass!.Generations, removed.Updates + pass.Updates);
            }
        }
    }

    private static Report CreateReport(List<(TimeSpan At, IReadOnlyList<ChurnSizes> Sizes)> samples, IReadOnlyList<string> notes)
    {
        var rows = new List<IReadOnlyList<string>>();
        for (var table = 0; table < ChurnSizes.Tables.Count; table++)
        {
            var name = ChurnSizes.Tables[table];
            var over = samples.Select(sample => sample.Sizes[table]).ToArray();
            rows.Add([$"{name}: rows", .. over.Select(sizes => $"{sizes.Rows:#,0}"), Growth(over, sizes => sizes.Rows)]);
            rows.Add([$"{name}: table, KiB", .. over.Select(sizes => $"{sizes.Bytes / 1024:#,0}"), Growth(over, sizes => sizes.Bytes)]);
            rows.Add([$"{name}: indexes, KiB", .. over.Select(sizes => $"{sizes.IndexBytes / 1024:#,0}"), Growth(over, sizes => sizes.IndexBytes)]);
            if (over[^1].Updates > 0)
            {
                rows.Add([$"{name}: HOT, %", .. over.Select(sizes => Report.Number(100.0 * sizes.HotUpdates / Math.Max(1, sizes.Updates))), ""]);
            }
        }

        return new Report(
            "Sizes under steady churn: submitted, claimed, in progress, completed, removed",
            ["after", .. samples.Select(sample => $"{sample.At.TotalSeconds:0} s"), "last / middle"],
            rows,
            notes);
    }

    private static string Growth(ChurnSizes[] over, Func<ChurnSizes, long> value) =>
        Report.Number((double)value(over[^1]) / Math.Max(1, value(over[(SampleCount / 2) - 1])), "0.00");
}
