using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Scenarios;

public sealed class KilledWorkersTests(TestServers servers, ITestOutputHelper output)
{
    private static readonly TimeSpan KillEvery = TimeSpan.FromSeconds(2);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Whichever_worker_is_killed_every_generation_comes_to_one_end()
    {
        // The whole scenario is 5,000: a minute of killing.
        var count = ScenarioSize.Of("STATUSUPDATES_CRASH_JOBS", 600);
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        (string, string)[] settings =
        [
            ("Worker:Lease", "00:00:03"),
            ("Worker:PollInterval", "00:00:00.200"),
            ("Worker:Providers:ChatProcessing:Duration", "00:00:00.400"),
        ];
        var workers = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => WorkerProcess.StartAsync(database, redis, settings)));

        // Once the workers run, and while they are killed: however long either takes, there is work left for the first kill.
        var submitting = Parallel.ForAsync(0, count, Token, async (n, token) =>
            await database.SubmitAsync($"user-{n % 50}", GenerationType.Chat, cancellationToken: token));
        var random = new Random(7);
        var kills = 0;
        var started = TimeProvider.System.GetTimestamp();
        using (var tick = new PeriodicTimer(KillEvery))
        {
            while (await TryKillAtWorkAsync(database, workers[random.Next(workers.Length)], submitting))
            {
                kills++;
                await tick.WaitForNextTickAsync(Token);
            }
        }

        await submitting;

        var elapsed = TimeProvider.System.GetElapsedTime(started);
        foreach (var worker in workers)
        {
            await worker.DisposeAsync();
        }

        // Every log gapless, every lifecycle kept, attempts never falling: nothing of a dead attempt follows its successor's.
        await database.AssertConsistentAsync(Token);
        Assert.Equal(count, await database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status IN ('completed', 'failed')", Token));
        Assert.Equal(count, await database.ScalarAsync<long>(
            "SELECT count(*) FROM status_events WHERE status IN ('completed', 'failed', 'canceled')", Token));
        var repeated = await database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE attempt > 1", Token);
        var failed = await database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'failed'", Token);
        output.WriteLine($"{count} generations, {kills} kills in {elapsed.TotalSeconds:F0} s, {repeated} tried again, {failed} failed");
        Assert.InRange(repeated, 1, count);
        Assert.Equal(0L, await database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'failed' AND failures < 3", Token));
    }

    /// <summary>
    /// Kills a worker in the middle of work, once it has some, and starts it again. It is paused first: what it holds when it is looked at,
    /// it still holds when it dies.
    /// </summary>
    /// <returns>False if there is no work left.</returns>
    private static async Task<bool> TryKillAtWorkAsync(TestDatabase database, WorkerProcess victim, Task submitting)
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
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
            await look.WaitForNextTickAsync(Token);
        }

        return false;
    }

    [Fact]
    public async Task A_generation_that_kills_its_worker_every_time_fails_in_the_end_and_harms_no_other()
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
        var other = (await database.SubmitAsync("v", GenerationType.Chat, cancellationToken: Token)).Generation.Id;
        for (var death = 1; death <= 3; death++)
        {
            await worker.Process.Ended;
            Assert.Equal(GenerationStatus.Processing, (await FindAsync("u", poison)).Status);

            // As time would. A short lease would be lost by a worker that lives as well, where the machine is slow.
            await database.ExpireLeasesAsync();
            await worker.Process.StartAsync();
        }

        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (await database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE completed_at IS NULL", Token) > 0)
        {
            await look.WaitForNextTickAsync(Token);
        }

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
