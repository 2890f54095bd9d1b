using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Worker;

public sealed class StopTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_stop_hands_back_a_running_generation_and_another_worker_finishes_it()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var id = await scene.SubmitAsync();
        var waiting = ScriptedProvider.WaitingForStop();
        await using var first = await TestWorker.StartAsync(scene.Database, scene.Redis, waiting, ("Worker:GracePeriod", "00:00:00"));
        await waiting.NextStartAsync(Token);

        await first.StopAsync();

        var handedBack = await scene.FindAsync(id);
        Assert.Equal((GenerationStatus.Pending, 1, 0), (handedBack.Status, handedBack.Attempt, handedBack.Failures));
        Assert.Null(handedBack.LeaseOwner);

        await using var second = await TestWorker.StartAsync(scene.Database, scene.Redis, ScriptedProvider.Finishing());
        var update = await scene.WaitForAsync(id, GenerationStatus.Completed);
        Assert.Equal(2, update.Metadata!.Attempt);
        Assert.Equal(
            ["pending", "processing", "pending", "processing", "completed"], (await scene.ReadLogAsync()).Select(u => u.Status.ToWireName()));
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_generation_that_is_handed_back_is_announced_and_wakes_the_other_workers()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var waiting = ScriptedProvider.WaitingForStop();
        await using var first = await TestWorker.StartAsync(scene.Database, scene.Redis, waiting, ("Worker:GracePeriod", "00:00:00"));
        var id = await scene.SubmitAsync();
        await waiting.NextStartAsync(Token);
        await using var second = await TestWorker.StartAsync(scene.Database, scene.Redis, ScriptedProvider.Finishing());

        await first.StopAsync();

        Assert.Equal(2, (await scene.WaitForAsync(id, GenerationStatus.Completed)).Metadata!.Attempt);
    }

    [Fact]
    public async Task A_generation_that_finishes_within_the_grace_period_is_not_interrupted()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var mayFinish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var provider = new ScriptedProvider(async (_, _, token) =>
        {
            await mayFinish.Task.WaitAsync(token);
            return ScriptedProvider.Result;
        });
        var id = await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider, ("Worker:GracePeriod", "00:01:00"));
        await provider.NextStartAsync(Token);

        var stopping = worker.StopAsync();
        await scene.SubmitAsync();
        mayFinish.SetResult();
        await stopping;

        Assert.Equal(GenerationStatus.Completed, (await scene.FindAsync(id)).Status);
        Assert.Single(provider.Runs);
    }

    [Fact]
    public async Task A_provider_that_ignores_its_token_does_not_keep_its_generation()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var unresponsive = new ScriptedProvider(async (_, _, _) =>
        {
            await release.Task;
            return ScriptedProvider.Result;
        });
        var id = await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(
            scene.Database, scene.Redis, unresponsive, ("Worker:GracePeriod", "00:00:00"), ("Worker:StopPatience", "00:00:00.050"));
        await unresponsive.NextStartAsync(Token);

        await worker.StopAsync();
        release.SetResult();

        Assert.Equal(GenerationStatus.Pending, (await scene.FindAsync(id)).Status);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_provider_that_hangs_fails_in_time_and_keeps_its_slot_until_it_returns()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hanging = new ScriptedProvider(async (_, progress, token) =>
        {
            await release.Task;
            await progress.ReportAsync(50, token);
            return ScriptedProvider.Result;
        });
        var id = await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(
            scene.Database,
            scene.Redis,
            hanging,
            ("Attempts:Timeout", "00:00:00.200"),
            ("Attempts:MaxFailures", "1"),
            ("Worker:StopPatience", "00:00:00.050"),
            ("Worker:Concurrency", "2"));

        var update = await scene.WaitForAsync(id, GenerationStatus.Failed);
        var run = Assert.Single(worker.Jobs.Snapshot()).Ended;

        Assert.Equal("The generation did not finish within 00:00:00.2000000.", update.Metadata!.ErrorMessage);
        Assert.Equal(1, worker.Jobs.Free);
        release.SetResult();
        await run.WaitAsync(TestTime.Patience, Token);
        Assert.Equal(2, worker.Jobs.Free);
        Assert.Equal(3, (await scene.ReadLogAsync()).Count);
        await scene.Database.AssertConsistentAsync(Token);
    }
}
