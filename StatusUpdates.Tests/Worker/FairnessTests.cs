using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Worker;

public sealed class FairnessTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_user_with_an_endless_supply_of_long_jobs_leaves_a_slot_for_other_users()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = LongFor("heavy");
        for (var i = 0; i < 20; i++)
        {
            await scene.SubmitAsync(userId: "heavy", prompt: "heavy");
        }

        await using var worker = await TestWorker.StartAsync(
            scene.Database, scene.Redis, provider, ("Worker:Concurrency", "4"), ("Worker:GracePeriod", "00:00:00"));
        for (var i = 0; i < 3; i++)
        {
            await provider.NextStartAsync(Token);
        }

        // One after the other: the first user does not take the fourth slot in between.
        for (var i = 0; i < 5; i++)
        {
            var id = await scene.SubmitAsync(userId: $"light-{i}");
            await scene.WaitForAsync(id, GenerationStatus.Completed);
        }

        Assert.Equal(3, worker.Jobs.Snapshot().Count(j => j.Generation.UserId == "heavy"));
        Assert.Equal(8, provider.Runs.Count);
    }

    [Fact]
    public async Task A_task_at_its_limit_waits_and_the_others_do_not()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var mayEnd = new SemaphoreSlim(0);
        var provider = new ScriptedProvider(async (request, _, token) =>
        {
            if (request.Task == "sora")
            {
                await mayEnd.WaitAsync(token);
            }

            return ScriptedProvider.Result;
        });
        var videos = new[] { await scene.SubmitAsync("sora"), await scene.SubmitAsync("sora"), await scene.SubmitAsync("sora") };
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider, ("Worker:Tasks:sora:Concurrency", "1"));

        var card = await scene.SubmitAsync("product_card");
        await scene.WaitForAsync(card, GenerationStatus.Completed);
        Assert.Equal(1, provider.Runs.Count(r => r.Task == "sora"));

        // A slot of the task is filled as soon as it is free: there is no poll here.
        mayEnd.Release(3);
        foreach (var video in videos)
        {
            await scene.WaitForAsync(video, GenerationStatus.Completed);
        }

        Assert.Empty(provider.Overlapped);
        await scene.Database.AssertConsistentAsync(Token);
    }

    private static ScriptedProvider LongFor(string prompt) => new(async (request, _, token) =>
    {
        if (request.Prompt == prompt)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
        }

        return ScriptedProvider.Result;
    });
}
