using System.Threading.Channels;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Jobs;

namespace StatusUpdates.Tests.Worker;

public sealed class CancelTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_running_generation_is_canceled_by_the_hint_on_Redis()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var waiting = ScriptedProvider.WaitingForStop();
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, waiting);
        var id = await scene.SubmitAsync();
        await waiting.NextStartAsync(Token);

        await scene.CancelAsync(id);

        await scene.WaitForAsync(id, GenerationStatus.Canceled);
        Assert.Equal(["pending", "processing", "canceled"], (await scene.ReadLogAsync()).Select(u => u.Status.ToWireName()));
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_forged_message_cancels_nothing_and_a_real_one_after_it_does()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var waiting = ScriptedProvider.WaitingForStop();
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, waiting);
        var forged = await scene.SubmitAsync();
        await waiting.NextStartAsync(Token);
        var asked = await scene.SubmitAsync(userId: "other");
        await waiting.NextStartAsync(Token);
        var job = Assert.Single(worker.Jobs.Snapshot(), j => j.Generation.Id == forged);

        // Messages arrive in order: once the second one is handled, the first one has been too.
        await scene.Publisher.TryPublishCancelRequestAsync(forged);
        await scene.Database.CreateCommands().CancelAsync("other", asked, cancellationToken: Token);
        await scene.Publisher.TryPublishCancelRequestAsync(asked);
        await scene.WaitForAsync(asked, GenerationStatus.Canceled);
        worker.CancelRequests.Hint(forged);
        await worker.CancelRequests.RunOnceAsync(Token);

        Assert.Equal((null, false), (job.Reason, job.Settled.IsCompleted));
        Assert.Equal(GenerationStatus.Processing, (await scene.FindAsync(forged)).Status);
        await scene.CancelAsync(forged);
        await scene.WaitForAsync(forged, GenerationStatus.Canceled);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Without_Redis_the_heartbeat_finds_the_cancel_request()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var waiting = ScriptedProvider.WaitingForStop();
        var id = await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(scene.Database, null, waiting);
        await waiting.NextStartAsync(Token);
        var job = Assert.Single(worker.Jobs.Snapshot());

        await scene.CancelAsync(id);
        await worker.Heartbeat.RunOnceAsync(Token);
        await job.Settled.WaitAsync(TestTime.Patience, Token);

        Assert.Equal(GenerationStatus.Canceled, (await scene.FindAsync(id)).Status);
    }

    [Fact]
    public async Task A_cancel_is_final_even_if_the_provider_ignores_it()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var unresponsive = new ScriptedProvider(async (_, _, _) =>
        {
            await release.Task;
            return ScriptedProvider.Result;
        });
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, unresponsive, ("Worker:StopPatience", "00:00:00.050"));
        var id = await scene.SubmitAsync();
        await unresponsive.NextStartAsync(Token);
        var job = Assert.Single(worker.Jobs.Snapshot());

        await scene.CancelAsync(id);
        await scene.WaitForAsync(id, GenerationStatus.Canceled);
        release.SetResult();
        await job.Ended.WaitAsync(TestTime.Patience, Token);

        Assert.Equal(GenerationStatus.Canceled, (await scene.FindAsync(id)).Status);
        Assert.Equal(3, (await scene.ReadLogAsync()).Count);
    }

    [Fact]
    public async Task A_stop_that_races_a_cancel_request_hands_nothing_back()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var waiting = ScriptedProvider.WaitingForStop();
        var id = await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, waiting, ("Worker:GracePeriod", "00:00:00"));
        await waiting.NextStartAsync(Token);

        // The hint is lost and the next heartbeat is far away: the worker stops without knowing about the request.
        await scene.Database.CreateCommands().CancelAsync("u", id, cancellationToken: Token);
        await worker.StopAsync();

        Assert.Equal(["pending", "processing", "canceled"], (await scene.ReadLogAsync()).Select(u => u.Status.ToWireName()));
        Assert.Equal(GenerationStatus.Canceled, (await scene.FindAsync(id)).Status);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_generation_of_a_lost_claim_that_was_then_canceled_is_ended_and_not_handed_back()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var waiting = ScriptedProvider.WaitingForStop();
        await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(scene.Database, null, waiting, ("Worker:GracePeriod", "00:00:00"), ("Worker:Concurrency", "1"));

        // From here on it has no slot free, so that the next claim is not its own.
        await waiting.NextStartAsync(Token);
        var id = (await scene.Database.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        await scene.Database.ClaimAsync(owner: worker.Owner, cancellationToken: Token);
        await scene.Database.CreateCommands().CancelAsync("u", id, cancellationToken: Token);

        await worker.Heartbeat.RunOnceAsync(Token);

        Assert.Equal(GenerationStatus.Canceled, (await scene.FindAsync(id)).Status);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_running_generation_is_notified_of_its_cancel_within_a_second()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var canceledAt = Channel.CreateUnbounded<long>();
        var waiting = new ScriptedProvider(async (_, _, token) =>
        {
            await using var registration = token.Register(() => canceledAt.Writer.TryWrite(TimeProvider.System.GetTimestamp()));
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
            return ScriptedProvider.Result;
        });
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, waiting);

        // The next heartbeat is minutes away, so every cancellation comes by the hint. A busy machine may delay one of them, or some, but not all.
        var fastest = TimeSpan.MaxValue;
        for (var i = 0; i < 20 && fastest >= TimeSpan.FromSeconds(1); i++)
        {
            var id = await scene.SubmitAsync();
            await waiting.NextStartAsync(Token);

            await scene.CancelAsync(id);
            var asked = TimeProvider.System.GetTimestamp();

            var elapsed = TimeProvider.System.GetElapsedTime(asked, await canceledAt.Reader.ReadAsync(Token));
            fastest = elapsed < fastest ? elapsed : fastest;
            await scene.WaitForAsync(id, GenerationStatus.Canceled);
        }

        Assert.True(fastest < TimeSpan.FromSeconds(1), $"{fastest}");
    }

    [Fact]
    public async Task Cancel_racing_completion_has_one_winner()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = new ScriptedProvider(async (_, progress, token) =>
        {
            await progress.ReportAsync(90, token);
            return ScriptedProvider.Result;
        });
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider);
        for (var i = 0; i < 40; i++)
        {
            var id = await scene.SubmitAsync();
            await provider.NextStartAsync(Token);
            var run = worker.Jobs.Snapshot() is [var job, ..] ? job.Ended : Task.CompletedTask;
            await scene.Database.CreateCommands().CancelAsync("u", id, cancellationToken: Token);
            await scene.Publisher.TryPublishCancelRequestAsync(id);
            await run.WaitAsync(TestTime.Patience, Token);
        }

        await worker.StopAsync();
        Assert.Equal(0L, await scene.Database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE completed_at IS NULL", Token));
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_cancel_request_that_overtakes_the_response_of_the_claim_is_not_lost()
    {
        using var jobs = new RunningJobs(Options.Create(new WorkerOptions()), TimeProvider.System);
        var generation = new ClaimedGeneration
        {
            Id = "gen-1",
            UserId = "u",
            Type = "sora",
            Task = "sora",
            Prompt = "p",
            Attempt = 1,
            Failures = 0,
        };

        var (_, claimed) = await jobs.ClaimAsync(
            () =>
            {
                jobs.RequestCancel("gen-1");
                return Task.FromResult(new ClaimResult([generation], []));
            },
            Token);

        await using var job = Assert.Single(claimed);
        Assert.Equal(StopReason.CancelRequested, job.Reason);
    }

    [Fact]
    public async Task A_lease_is_not_orphaned_while_the_claim_that_took_it_is_in_progress()
    {
        using var jobs = new RunningJobs(Options.Create(new WorkerOptions()), TimeProvider.System);
        HeldLease[] leases = [new("gen-1", 1, false)];

        await jobs.ClaimAsync(
            async () =>
            {
                Assert.Empty(await jobs.FindOrphanedAsync(leases, TimeSpan.Zero, Token));
                return new ClaimResult([], []);
            },
            Token);

        Assert.Equal(leases, await jobs.FindOrphanedAsync(leases, TimeSpan.Zero, Token));
    }
}
