using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Scenarios;
using StatusUpdates.Tests.Worker;

namespace StatusUpdates.Tests.Client.Python;

/// <summary>Workers of <c>clients/python</c> in processes that are killed, paused and stopped, and beside our own.</summary>
public sealed class PythonWorkerTests(TestServers servers)
{
    private const int GracefulExit = 0;

    private static readonly Dictionary<string, string?> Settings = new() { ["WorkerProtocol:PollInterval"] = "00:00:00.100" };

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_generation_whose_worker_is_killed_is_done_by_the_next_attempt()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var api = await TestApi.StartAsync(scene.Database, scene.Redis, Settings);
        await using var first = await PythonProgram.StartWorkerAsync(api.Address);
        var begins = first.LineAsync("begins ");
        var id = await scene.SubmitAsync(prompt: "hold");
        await begins;
        await scene.WaitForLoggedAsync(id, GenerationStatus.Processing, attempt: 1);

        await first.EndAsync(Posix.SigKill);
        await scene.ExpireLeasesAsync();
        await using var second = await PythonProgram.StartWorkerAsync(api.Address);
        await scene.WaitForAsync(id, GenerationStatus.Completed);

        var generation = await scene.FindAsync(id);
        Assert.Equal((2, 1), (generation.Attempt, generation.Failures));
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_attempt_that_was_paused_past_its_lease_changes_nothing_when_it_resumes(bool successorHasEnded)
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var api = await TestApi.StartAsync(scene.Database, scene.Redis, Settings);
        await using var first = await PythonProgram.StartWorkerAsync(api.Address, concurrency: 1);
        var begins = first.LineAsync("begins ");
        var id = await scene.SubmitAsync(prompt: "hold");
        await begins;

        first.Pause();
        await scene.ExpireLeasesAsync();
        await using var second = await PythonProgram.StartWorkerAsync(api.Address, workSeconds: successorHasEnded ? 0 : 3);
        await scene.WaitForLoggedAsync(id, successorHasEnded ? GenerationStatus.Completed : GenerationStatus.Processing, attempt: 2);
        var isOver = first.LineAsync($"{id} (attempt 1) is not this worker's any more");
        var before = await scene.ReadLogAsync();
        first.Continue();
        await isOver;
        await scene.WaitForAsync(id, GenerationStatus.Completed);

        var log = await scene.ReadLogAsync();
        Assert.Equal(before.Select(update => update.Cursor), log.Take(before.Count).Select(update => update.Cursor));
        Assert.All(log.SkipWhile(update => update.Metadata?.Attempt != 2), update => Assert.Equal(2, update.Metadata!.Attempt));
        await scene.Database.AssertConsistentAsync(Token);

        // The first worker goes on with other work.
        Assert.Equal(GracefulExit, await StopAsync(second));
        await scene.WaitForAsync(await scene.SubmitAsync(), GenerationStatus.Completed);
    }

    [Fact]
    public async Task A_worker_that_is_stopped_finishes_or_hands_back_what_it_does_and_exits_with_0()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var api = await TestApi.StartAsync(scene.Database, scene.Redis, Settings);
        await using var first = await PythonProgram.StartWorkerAsync(api.Address, workSeconds: 1);
        var (held, finished) = (await scene.SubmitAsync(prompt: "hold"), await scene.SubmitAsync());
        await scene.WaitForLoggedAsync(held, GenerationStatus.Processing, attempt: 1);
        await scene.WaitForLoggedAsync(finished, GenerationStatus.Processing, attempt: 1);

        Assert.Equal(GracefulExit, await StopAsync(first));
        Assert.Equal(GenerationStatus.Completed, (await scene.FindAsync(finished)).Status);
        Assert.Equal(GenerationStatus.Pending, (await scene.FindAsync(held)).Status);

        await using var second = await PythonProgram.StartWorkerAsync(api.Address);
        await scene.WaitForAsync(held, GenerationStatus.Completed);
        Assert.Equal(0, (await scene.FindAsync(held)).Failures);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Our_worker_and_one_in_Python_share_a_queue()
    {
        const int Count = 200;
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var api = await TestApi.StartAsync(scene.Database, scene.Redis, Settings);
        await using var python = await PythonProgram.StartWorkerAsync(api.Address, workSeconds: 0.05);
        await using var ours = await WorkerProcess.StartAsync(
            scene.Database, scene.Redis, ("Worker:PollInterval", "00:00:00.100"), ("Worker:Concurrency", "4"), ("Worker:Providers:ProductCard", "00:00:00.050"));
        for (var n = 0; n < Count; n++)
        {
            await scene.SubmitAsync(userId: $"user-{n % 10}");
        }

        await scene.Database.UntilAsync($"SELECT count(*) = {Count} FROM generations WHERE status = 'completed' AND attempt = 1");
        await scene.Database.AssertConsistentAsync(Token);
        var byPython = await scene.Database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE result_urls::text LIKE '%python.test%'", Token);
        Assert.InRange(byPython, Count / 10, Count - (Count / 10));
    }

    [Fact]
    public async Task No_outcome_is_lost_while_the_API_is_killed_and_restarted()
    {
        const int Count = 60;
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var other = await TestApi.StartAsync(scene.Database, scene.Redis, Settings);
        await using var api = await ApiProcess.StartAsync(other);
        await using var worker = await PythonProgram.StartWorkerAsync(api.Address, workSeconds: 0.1);
        for (var n = 0; n < Count; n++)
        {
            await scene.SubmitAsync(userId: $"user-{n % 5}");
        }

        await UntilCompletedAsync(Count / 4);
        await api.KillAsync();
        await api.StartAsync();
        await UntilCompletedAsync(Count / 2);
        await api.StopAsync();
        await api.StartAsync();
        await UntilCompletedAsync(Count);

        // What was granted by an answer that was lost has gone back to the queue: no lease had to expire.
        Assert.Equal(0L, await scene.Database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE failures > 0", Token));
        await scene.Database.AssertConsistentAsync(Token);

        Task UntilCompletedAsync(int count) => scene.Database.UntilAsync($"SELECT count(*) >= {count} FROM generations WHERE status = 'completed'");
    }

    [Long]
    [Fact]
    public async Task Every_generation_ends_exactly_once_whichever_worker_is_killed()
    {
        var count = ScenarioSize.Of(small: 200, full: 1_000);
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var api = await TestApi.StartAsync(scene.Database, scene.Redis, Settings);
        var workers = await Task.WhenAll(
            Enumerable.Range(0, 3).Select(_ => PythonProgram.StartWorkerAsync(api.Address, leaseSeconds: 5, workSeconds: 0.2)));
        for (var n = 0; n < count; n++)
        {
            await scene.SubmitAsync(userId: $"user-{n % 10}");
        }

        var random = new Random(7);
        for (var ended = 0; ended < count; ended += count / 8)
        {
            await UntilEndedAsync(ended);
            var victim = workers[random.Next(workers.Length)];
            await victim.EndAsync(Posix.SigKill);
            await victim.StartAsync();
        }

        await UntilEndedAsync(count);
        foreach (var worker in workers)
        {
            await worker.DisposeAsync();
        }

        await scene.Database.AssertConsistentAsync(Token);
        Assert.Equal(count, await scene.Database.ScalarAsync<long>(
            "SELECT count(*) FROM status_events WHERE status IN ('completed', 'failed', 'canceled')", Token));
        Assert.InRange(await scene.Database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE attempt > 1", Token), 1, count);
        Assert.Equal(0L, await scene.Database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'failed' AND failures < 3", Token));

        Task UntilEndedAsync(int number) => scene.Database.UntilAsync($"SELECT count(*) >= {number} FROM generations WHERE completed_at IS NOT NULL");
    }

    private static Task<int> StopAsync(PythonProgram worker)
    {
        worker.Signal(Posix.SigTerm);
        return worker.UntilExitAsync();
    }
}
