using StatusUpdates.Messaging;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Jobs;

namespace StatusUpdates.Tests.Worker;

public sealed class ProgressTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Only_the_newest_progress_is_written_at_the_configured_rate_and_the_provider_does_not_wait_for_it()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var isWritten = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var parked = new List<bool>();
        var provider = new ScriptedProvider(async (_, progress, token) =>
        {
            await progress.ReportAsync(1, token);
            for (var percent = 2; percent <= 60; percent++)
            {
                parked.Add(progress.ReportAsync(percent, token).IsCompletedSuccessfully);
            }

            await isWritten.Task.WaitAsync(token);
            return ScriptedProvider.Result;
        });
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider, ("Worker:ProgressPerSecond", "0.5"));

        var id = await scene.SubmitAsync();
        for (var i = 0; i < 3; i++)
        {
            await scene.WaitForAsync(id, GenerationStatus.Processing);
        }

        isWritten.SetResult();
        await scene.WaitForAsync(id, GenerationStatus.Completed);

        var log = await scene.ReadLogAsync();
        Assert.Equal([null, null, 1, 60, 100], log.Select(u => u.Metadata?.Progress));
        Assert.All(parked, Assert.True);

        // A write begins at the earliest one interval after the end of the previous one.
        Assert.True(log[3].Timestamp - log[2].Timestamp >= 2000 - 1, $"{log[3].Timestamp - log[2].Timestamp} ms");
    }

    [Theory]
    [InlineData(GenerationStatus.Completed)]
    [InlineData(GenerationStatus.Failed)]
    public async Task The_final_update_waits_for_no_progress_and_none_follows_it(GenerationStatus end)
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = new ScriptedProvider(async (_, progress, token) =>
        {
            await progress.ReportAsync(1, token);
            await progress.ReportAsync(2, token);
            return end == GenerationStatus.Completed ? ScriptedProvider.Result : new([], 0);
        });
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider, ("Worker:ProgressPerSecond", "0.01"));

        var id = await scene.SubmitAsync();
        await scene.WaitForAsync(id, end);
        await worker.StopAsync();

        Assert.Equal(
            ["pending ", "processing ", "processing 1", end == GenerationStatus.Completed ? "completed 100" : "failed "],
            (await scene.ReadLogAsync()).Select(u => $"{u.Status.ToWireName()} {u.Metadata?.Progress}"));
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task The_newest_of_the_reports_during_a_write_is_written_after_it()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = new ScriptedProvider(async (_, progress, token) =>
        {
            // Not awaited: the second and third come while the first is being written.
            var first = progress.ReportAsync(10, token);
            var second = progress.ReportAsync(20, token);
            var third = progress.ReportAsync(30, token);
            Assert.False(first.IsCompleted);
            Assert.True(second.IsCompletedSuccessfully && third.IsCompletedSuccessfully);
            await first;
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
            return ScriptedProvider.Result;
        });

        // Leaves time for the others between the row lock of the first and its response, always.
        await scene.Database.ExecuteAsync(
            """
            CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON status_events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                WHEN (NEW.metadata ->> 'progress' = '10') EXECUTE FUNCTION linger()
            """,
            Token);
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider, ("Worker:GracePeriod", "00:00:00"));

        var id = await scene.SubmitAsync();
        for (var i = 0; i < 3; i++)
        {
            await scene.WaitForAsync(id, GenerationStatus.Processing);
        }

        await worker.StopAsync();
        Assert.Equal([null, null, 10, 30, null], (await scene.ReadLogAsync()).Select(u => u.Metadata?.Progress));
    }

    [Fact]
    public async Task The_refusal_of_a_parked_report_stops_the_attempt()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var lose = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var provider = new ScriptedProvider(async (_, progress, token) =>
        {
            await progress.ReportAsync(1, token);
            await lose.Task;
            await progress.ReportAsync(2, token);
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
            return ScriptedProvider.Result;
        });
        var id = await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider, ("Worker:ProgressPerSecond", "0.5"));
        await provider.NextStartAsync(Token);
        var job = Assert.Single(worker.Jobs.Snapshot());
        await scene.WaitForAsync(id, GenerationStatus.Processing);
        await scene.WaitForAsync(id, GenerationStatus.Processing);
        await scene.ExpireLeasesAsync();
        await scene.Database.ClaimAsync(owner: "other", cancellationToken: Token);

        lose.SetResult();
        await job.Ended.WaitAsync(TestTime.Patience, Token);

        Assert.Equal(StopReason.LeaseLost, job.Reason);
        Assert.Equal(4, (await scene.ReadLogAsync()).Count);
        await scene.Database.AssertConsistentAsync(Token);
    }
}
