using System.Diagnostics;
using StackExchange.Redis;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Benchmarks.Claims;

/// <summary>
/// Jobs that take no time, from submit to completed, run by real workers in their own processes: the throughput of the queue itself, compared to
/// the same workers with claims of one job each. Also measures users with single jobs while another user has a backlog.
/// </summary>
internal static class ClaimScenario
{
    private const string Heavy = "heavy";
    private const int Submitters = 32;

    public static async Task<Report> RunAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var settings = Settings.Read(arguments);
        await using var system = await BenchmarkSystem.StartAsync(cancellationToken);
        await using var database = new StatusDatabase(system.Database);
        await using var redis = await ConnectionMultiplexer.ConnectAsync(system.Redis);
        var load = new JobLoad(database, redis);
        var comparison = new Comparison();
        for (var run = 1; run <= settings.Runs; run++)
        {
            var one = await RunBothAsync(system, load, settings, oneByOne: true, cancellationToken);
            var many = await RunBothAsync(system, load, settings, oneByOne: false, cancellationToken);
            foreach (var (name, format) in Figures.Names)
            {
                comparison.Add(name, format, one[name], many[name]);
            }

            Console.WriteLine(
                $"run {run} of {settings.Runs}: claims of one {one[Figures.PerSecond]:#,0} jobs/s, of all that can start {many[Figures.PerSecond]:#,0} jobs/s; " +
                $"p99 wait with the backlog {one[Figures.P99]:0.0} and {many[Figures.P99]:0.0} ms");
        }

        return new Report(
            $"Jobs that take no time, {settings.Workers} workers with {settings.Concurrency} slots",
            ["median of the runs", "claims of one", "claims of all that can start", "ratio"],
            comparison.Rows,
            [
                $"Submit to completed: {settings.Jobs} jobs of {settings.Users} users, {Submitters} submitters, from the first submit to the last completion.",
                $"With a backlog: {settings.Backlog} jobs of one user are waiting; {settings.LightUsers} other users submit single jobs at intervals, for {settings.Seconds} s. " +
                "Their wait is from submit to claim. Jobs/s include all jobs, from the first start to the last completion.",
                "Checked: every job was completed once, by its first attempt, with pending, processing and completed in a gapless log.",
                .. comparison.Disturbances(),
            ])
        {
            Samples = comparison.Figures,
        };
    }

    private static async Task<Dictionary<string, double>> RunBothAsync(
        BenchmarkSystem system, JobLoad load, Settings settings, bool oneByOne, CancellationToken cancellationToken)
    {
        var workers = new List<ServerProcess>();
        try
        {
            for (var i = 0; i < settings.Workers; i++)
            {
                workers.Add(await system.StartWorkerAsync(
                    "run-jobs",
                    new Dictionary<string, string> { [JobHost.OneByOne] = $"{oneByOne}", ["Worker__Concurrency"] = $"{settings.Concurrency}" },
                    cancellationToken));
            }

            var figures = new Dictionary<string, double>(StringComparer.Ordinal);
            await RunThroughputAsync(load, settings with { Jobs = Math.Max(1, settings.Jobs / 10) }, cancellationToken);
            var before = system.ReadCpu(workers);
            await RunThroughputAsync(load, settings, cancellationToken);
            var cpu = system.ReadCpu(workers) - before;
            figures[Figures.PerSecond] = await load.PerSecondAsync("created_at", cancellationToken);
            figures[Figures.PerClaim] = await load.PerClaimAsync(cancellationToken);
            figures[Figures.WorkersCpu] = cpu.Server * 1000 / settings.Jobs;
            figures[Figures.PostgresCpu] = cpu.Postgres * 1000 / settings.Jobs;
            before = system.ReadCpu(workers);
            var clock = Stopwatch.GetTimestamp();
            await RunWithBacklogAsync(load, settings, cancellationToken);
            figures[Figures.BacklogPerSecond] = await load.PerSecondAsync("started_at", cancellationToken);
            figures[Figures.P50] = await load.WaitAsync(Heavy, 0.5, cancellationToken);
            figures[Figures.P99] = await load.WaitAsync(Heavy, 0.99, cancellationToken);
            figures[Figures.DuringBacklog] = 100 * await load.ShareDuringBacklogAsync(Heavy, cancellationToken);
            figures[Figures.Others] = (system.ReadCpu(workers) - before).Others / Stopwatch.GetElapsedTime(clock).TotalSeconds;
            return figures;
        }
        finally
        {
            foreach (var worker in workers)
            {
                await worker.DisposeAsync();
            }
        }
    }

    private static async Task RunThroughputAsync(JobLoad load, Settings settings, CancellationToken cancellationToken)
    {
        await load.ClearAsync(cancellationToken);
        await Parallel.ForEachAsync(
            Enumerable.Range(0, settings.Jobs),
            new ParallelOptions { MaxDegreeOfParallelism = Submitters, CancellationToken = cancellationToken },
            async (i, token) => await load.SubmitAsync($"user-{i % settings.Users}", token));
        await load.WaitUntilEmptyAsync(cancellationToken);
        await load.CheckAsync(settings.Jobs, cancellationToken);
    }

    private static async Task RunWithBacklogAsync(JobLoad load, Settings settings, CancellationToken cancellationToken)
    {
        await load.ClearAsync(cancellationToken);
        await load.FillAsync(Heavy, settings.Backlog, cancellationToken);
        var interval = TimeSpan.FromSeconds(1);
        var lights = Enumerable.Range(0, settings.LightUsers).Select(async i =>
        {
            await Task.Delay(interval * i / settings.LightUsers, cancellationToken);
            using var timer = new PeriodicTimer(interval);
            for (var n = 0; n < settings.Seconds; n++)
            {
                await load.SubmitAsync($"light-{i}", cancellationToken);
                await timer.WaitForNextTickAsync(cancellationToken);
            }
        });
        await Task.WhenAll(lights);
        await load.WaitUntilEmptyAsync(cancellationToken);
        await load.CheckAsync(settings.Backlog + (settings.LightUsers * settings.Seconds), cancellationToken);
    }

    private static class Figures
    {
        public const string PerSecond = "submit to completed, jobs/s";
        public const string PerClaim = "submit to completed: jobs per claim";
        public const string WorkersCpu = "submit to completed: workers CPU, ms per job";
        public const string PostgresCpu = "submit to completed: PostgreSQL CPU, ms per job";
        public const string BacklogPerSecond = "with a backlog, jobs/s";
        public const string P50 = "with a backlog: wait of other users, ms, p50";
        public const string P99 = "with a backlog: wait of other users, ms, p99";
        public const string DuringBacklog = "with a backlog: other users' jobs submitted during it, %";
        public const string Others = "with a backlog: " + Comparison.Others;

        public static readonly (string Name, string Format)[] Names =
        [
            (PerSecond, "#,0"), (PerClaim, "0.0"), (WorkersCpu, "0.00"), (PostgresCpu, "0.00"), (BacklogPerSecond, "#,0"), (P50, "0.0"), (P99, "0.0"), (DuringBacklog, "0"), (Others, "0.00"),
        ];
    }

    private sealed record Settings(int Runs, int Workers, int Concurrency, int Jobs, int Users, int Backlog, int LightUsers, int Seconds)
    {
        public static Settings Read(ScenarioArguments arguments)
        {
            var settings = new Settings(
                arguments.Int("runs", 3, 1),
                arguments.Int("workers", 2, 2),
                arguments.Int("concurrency", 16, 16),
                arguments.Int("jobs", 5_000, 500),
                arguments.Int("users", 1_000, 50),
                arguments.Int("backlog", 20_000, 2_000),
                arguments.Int("others", 100, 20),
                arguments.Int("seconds", 10, 1));
            arguments.ThrowIfUnknown();
            return settings;
        }
    }
}
