using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Jobs;

namespace StatusUpdates.Tests.Worker;

public sealed class DeadlineTests(TestServers servers)
{
    private static readonly (string, string) Polling = ("Worker:PollInterval", "00:00:00.200");

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_running_generation_is_stopped_at_its_deadline_and_fails()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        TestWorker? worker = null;
        RunningJob? job = null;
        var waiting = new ScriptedProvider(async (_, _, token) =>
        {
            job = Assert.Single(worker!.Jobs.Snapshot());
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
            return ScriptedProvider.Result;
        });

        // Set with the row: a worker may find it before anyone tells it. The time until then is for the claim alone.
        await scene.Database.ExecuteAsync(
            """
            CREATE FUNCTION soon_over() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.deadline := clock_timestamp() + interval ''10 s''; RETURN NEW; END';
            CREATE TRIGGER soon_over BEFORE INSERT ON generations FOR EACH ROW EXECUTE FUNCTION soon_over();
            """,
            Token);
        worker = await TestWorker.StartAsync(scene.Database, scene.Redis, waiting);
        await using var owned = worker;
        var id = await scene.SubmitAsync();
        await waiting.NextStartAsync(Token);

        var update = await scene.WaitForAsync(id, GenerationStatus.Failed);

        Assert.Equal(StopReason.DeadlinePassed, job!.Reason);
        Assert.Equal((1, QueueMessages.DeadlinePassed), (update.Metadata!.Attempt, update.Metadata.ErrorMessage));
        await AssertFailedAtDeadlineAsync(scene, id);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_pending_generation_fails_at_its_deadline_while_all_slots_are_taken()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var waiting = ScriptedProvider.WaitingForStop();
        await scene.SubmitAsync(userId: "v");
        await using var worker = await TestWorker.StartAsync(
            scene.Database, scene.Redis, waiting, ("Worker:Concurrency", "1"), ("Worker:GracePeriod", "00:00:00"), Polling);
        await waiting.NextStartAsync(Token);
        var id = await scene.SubmitAsync(deadline: DateTimeOffset.UtcNow.AddHours(1));
        await scene.Database.ExecuteAsync($"UPDATE generations SET deadline = clock_timestamp() + interval '1 s' WHERE id = '{id}'", Token);

        var update = await scene.WaitForAsync(id, GenerationStatus.Failed);

        Assert.Equal(QueueMessages.DeadlinePassed, update.Metadata!.ErrorMessage);
        var generation = await scene.FindAsync(id);
        Assert.Equal(0, generation.Attempt);
        await AssertFailedAtDeadlineAsync(scene, id);
        Assert.Null(Assert.Single(worker.Jobs.Snapshot()).Reason);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_generation_that_finishes_before_its_deadline_completes()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, ScriptedProvider.Finishing());
        var deadline = DateTimeOffset.UtcNow.AddDays(29);

        var id = await scene.SubmitAsync(deadline: deadline);
        await scene.WaitForAsync(id, GenerationStatus.Completed);

        Assert.Equal(deadline, (await scene.FindAsync(id)).Deadline!.Value, TimeSpan.FromMilliseconds(1));
    }

    // Not before, and not by anything else that could have ended it: leases and time limits here are an hour.
    private static async Task AssertFailedAtDeadlineAsync(WorkerScene scene, string id)
    {
        var generation = await scene.FindAsync(id);
        Assert.True(generation.CompletedAt >= generation.Deadline, $"{generation.CompletedAt} is before {generation.Deadline}.");
    }
}
