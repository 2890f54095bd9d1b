using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Scenarios;

public sealed class KilledWorkersTests(TestServers servers, ITestOutputHelper output)
{
    // Generations that end between two kills.
    private const int KillEvery = 75;

    private static CancellationToken Token => TestTime.Token;

    [Long]
    [Fact]
    public async Task Every_generation_ends_exactly_once_whichever_worker_is_killed()
    {
        var count = ScenarioSize.Of(small: 600, full: 5_000);
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        (string, string)[] settings =
        [
            ("Worker:Lease", "00:00:03"),
            ("Worker:PollInterval", "00:00:00.200"),
            ("Worker:Providers:ChatProcessing", "00:00:00.400"),
        ];
        var workers = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => WorkerProcess.StartAsync(database, redis, settings)));

        // Starts once the workers run and continues while they are killed: however long either takes, there is work for the first kill.
        var submitting = Parallel.ForAsync(0, count, Token, async (n, token) =>
            await database.SubmitAsync($"user-{n % 50}", "chat", cancellationToken: token));
        var random = new Random(7);
        var kills = 0;
        var started = TimeProvider.System.GetTimestamp();
        for (var ended = 0; ended < count; ended += KillEvery)
        {
            await UntilEndedAsync(database, ended);
            kills += await TryKillAtWorkAsync(database, workers[random.Next(workers.Length)], submitting) ? 1 : 0;
        }

        await submitting;
        await UntilEndedAsync(database, count);

        var elapsed = TimeProvider.System.GetElapsedTime(started);
        foreach (var worker in workers)
        {
            await worker.DisposeAsync();
        }

        // No log has a gap, every lifecycle is valid, attempts never decrease: no update of a dead attempt follows one of its successor.
        await database.AssertConsistentAsync(Token);
        Assert.Equal(count, await database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status IN ('completed', 'failed')", Token));
        Assert.Equal(count, await database.ScalarAsync<long>(
            "SELECT count(*) FROM status_events WHERE status IN ('completed', 'failed', 'canceled')", Token));
        var repeated = await database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE attempt > 1", Token);
        var failed = await database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'failed'", Token);
        output.WriteLine($"{count} generations, {kills} kills in {elapsed.TotalSeconds:F0} s, {repeated} retried, {failed} failed");
        Assert.InRange(repeated, 1, count);
        Assert.Equal(0L, await database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'failed' AND failures < 3", Token));
    }

    private static Task UntilEndedAsync(TestDatabase database, int count) =>
        database.UntilAsync($"SELECT count(*) >= {count} FROM generations WHERE completed_at IS NOT NULL");

    /// <summary>
    /// Waits until a worker has work, kills it and restarts it. The worker is paused while it is checked, so it still has that work when
    /// it is killed.
    /// </summary>
    /// <returns>False if there is no work left.</returns>
    private static async Task<bool> TryKillAtWorkAsync(TestDatabase database, WorkerProcess victim, Task submitting)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (!submitting.IsCompleted || await database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE completed_at IS NULL", Token) > 0)
        {
            victim.Process.Pause();
            if (await database.ScalarAsync<bool>(
                $"SELECT EXISTS (SELECT FROM generations WHERE status = 'processing' AND lease_owner LIKE '%:{victim.Process.Id}:%')", Token))
            {
                await victim.KillAsync();
                await victim.Process.StartAsync();
                return true;
            }

            victim.Process.Continue();
            await timer.WaitForNextTickAsync(Token);
        }

        return false;
    }

    [Fact]
    public async Task A_generation_that_kills_its_worker_every_time_finally_fails_and_does_not_affect_others()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        await using var worker = await WorkerProcess.StartWithAsync(
            TestProviders.Killing,
            database,
            redis,
            ("Worker:PollInterval", "00:00:00.100"),
            ("Worker:Concurrency", "1"));

        var poison = (await database.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        var other = (await database.SubmitAsync("v", "chat", cancellationToken: Token)).Generation.Id;
        for (var death = 1; death <= 3; death++)
        {
            await worker.Process.Ended;
            Assert.Equal(GenerationStatus.Processing, (await FindAsync("u", poison)).Status);

            // As the passing of time would. On a slow machine, a live worker would lose a short lease as well.
            await database.ExpireLeasesAsync();
            await worker.Process.StartAsync();
        }

        await UntilEndedAsync(database, 2);

        var generation = await FindAsync("u", poison);
        Assert.Equal((GenerationStatus.Failed, 3, 3), (generation.Status, generation.Attempt, generation.Failures));
        Assert.Equal("The worker stopped responding, 3 times.", generation.ErrorMessage);
        Assert.Equal(GenerationStatus.Completed, (await FindAsync("v", other)).Status);
        Assert.Equal(
            ["pending 0 ", "processing 1 ", "processing 1 50", "processing 2 ", "processing 2 50", "processing 3 ", "processing 3 50", "failed 3 "],
            (await database.Log.ReadAfterAsync("u", 0, 100, Token)).Items.Select(u =>
                $"{u.Status.ToWireName()} {u.Metadata?.Attempt ?? 0} {u.Metadata?.Progress}"));
        await database.AssertConsistentAsync(Token);

        async Task<Generation> FindAsync(string userId, string id) => (await database.CreateQueries().FindAsync(userId, id, Token))!;
    }
}
