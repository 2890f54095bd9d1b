using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Worker;

namespace StatusUpdates.Tests.Scenarios;

[Long]
public sealed class PausedWorkerTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_attempt_that_was_paused_past_its_lease_changes_nothing_when_it_resumes(bool successorHasEnded)
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        // The first one works for so long that it is certainly paused during the work. The test expires the leases: on a slow machine, a worker
        // that is not paused would lose a short lease as well.
        await using var first = await WorkerProcess.StartAsync(scene.Database, scene.Redis, SettingsOf(work: "00:00:20"));
        var id = await scene.SubmitAsync("chat_processing");
        await scene.WaitForAsync(id, GenerationStatus.Processing);
        await scene.WaitForAsync(id, GenerationStatus.Processing);

        first.Process.Pause();
        await scene.ExpireLeasesAsync();
        await using var second = await WorkerProcess.StartAsync(scene.Database, scene.Redis, SettingsOf(work: "00:00:03"));
        await scene.WaitForLoggedAsync(id, successorHasEnded ? GenerationStatus.Completed : GenerationStatus.Processing, attempt: 2);

        // Its token is canceled by the heartbeat or by its own next update, whichever comes first.
        var isOver = first.Process.LineAsync("The lease was lost");
        var before = await ReadAsync();
        first.Process.Continue();
        await isOver;
        if (successorHasEnded)
        {
            Assert.Equal(before, await ReadAsync());
        }
        else
        {
            await scene.WaitForAsync(id, GenerationStatus.Completed);
        }

        var log = (await scene.ReadLogAsync()).Select(u => $"{u.Status.ToWireName()} {u.Metadata?.Attempt} {u.Metadata?.Progress}").ToList();
        var takenOver = log.IndexOf("processing 2 ");
        Assert.All(log.Take(takenOver).Skip(1), u => Assert.StartsWith("processing 1", u, StringComparison.Ordinal));
        Assert.Equal(
            ["processing 2 ", "processing 2 10", "processing 2 35", "processing 2 60", "processing 2 85", "completed 2 100"], log.Skip(takenOver));
        await scene.Database.AssertConsistentAsync(Token);

        // The first worker continues with other work.
        await second.StopAsync();
        await scene.WaitForAsync(await scene.SubmitAsync("product_card"), GenerationStatus.Completed);

        static (string, string)[] SettingsOf(string work) =>
            [("Worker:PollInterval", "00:00:00.100"), ("Worker:Providers:ChatProcessing", work)];

        Task<string?> ReadAsync() => scene.Database.ScalarAsync<string>(
            $"""
            SELECT (SELECT to_jsonb(g) || to_jsonb(s) FROM generations g JOIN user_streams s USING (user_id) WHERE g.id = '{id}')::text
                || (SELECT jsonb_agg(to_jsonb(e) ORDER BY seq) FROM status_events e)::text
            """,
            Token);
    }
}
