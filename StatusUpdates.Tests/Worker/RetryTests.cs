using StatusUpdates.Data.Generations;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Tests.Worker;

public sealed class RetryTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_transient_failure_is_retried_when_it_is_due_and_not_a_poll_later()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = new ScriptedProvider((request, _, _) =>
            request.Attempt == 1 ? throw new TransientProviderException("The model is loading.") : Task.FromResult(ScriptedProvider.Result));

        // The next poll is minutes away: the worker is woken by the retry time in the update.
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider, ("Attempts:RetryBackOff", "00:00:00.500"));

        var id = await scene.SubmitAsync();
        await scene.WaitForAsync(id, GenerationStatus.Completed);

        var log = await scene.ReadLogAsync();
        Assert.Equal(["pending", "processing", "pending", "processing", "completed"], log.Select(u => u.Status.ToWireName()));
        Assert.Equal([null, 1, 1, 2, 2], log.Select(u => u.Metadata?.Attempt));
        Assert.Equal("The model is loading.", log[2].Metadata!.ErrorMessage);
        Assert.InRange(log[2].Metadata!.RetryAt!.Value - log[2].Timestamp, 200, 500);
        Assert.True(log[3].Timestamp >= log[2].Metadata!.RetryAt!.Value, "Retried before it was due.");
        Assert.Equal((1, 2), ((await scene.FindAsync(id)).Failures, (await scene.FindAsync(id)).Attempt));
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task The_published_update_the_log_and_the_row_have_the_same_retry_time()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = ScriptedProvider.Failing(() => new TransientProviderException("busy") { RetryAfter = TimeSpan.FromHours(1) });
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider);

        var id = await scene.SubmitAsync();
        await scene.WaitForAsync(id, GenerationStatus.Processing);
        var announced = await scene.WaitForAsync(id, GenerationStatus.Pending);

        var generation = await scene.FindAsync(id);
        Assert.Equal(generation.RunAt.ToUnixTimeMilliseconds(), announced.Metadata!.RetryAt);
        Assert.Equal(0, generation.RunAt.Ticks % TimeSpan.TicksPerMillisecond);
        Assert.Equal(StatusJson.Encode(announced), StatusJson.Encode((await scene.ReadLogAsync())[2] with { TraceParent = announced.TraceParent, After = announced.After }));
        Assert.Equal((GenerationStatus.Pending, 1), (generation.Status, generation.Failures));
        Assert.Null(generation.ErrorMessage);
        Assert.Null(generation.Progress);
    }

    [Fact]
    public async Task The_last_transient_failure_is_final()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = ScriptedProvider.Failing(() => new TransientProviderException("Still busy."));
        await using var worker = await TestWorker.StartAsync(
            scene.Database, scene.Redis, provider, ("Attempts:RetryBackOff", "00:00:00.010"));

        var id = await scene.SubmitAsync();
        var update = await scene.WaitForAsync(id, GenerationStatus.Failed);

        Assert.Equal(("Still busy.", 3, null), (update.Metadata!.ErrorMessage, update.Metadata.Attempt, update.Metadata.RetryAt));
        Assert.Equal(3, provider.Runs.Count);
        Assert.Equal(3, (await scene.FindAsync(id)).Failures);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_permanent_failure_is_not_retried()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = ScriptedProvider.Failing(() => new ProviderException("No such model."));
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider);

        var update = await scene.WaitForAsync(await scene.SubmitAsync(), GenerationStatus.Failed);

        Assert.Equal(1, update.Metadata!.Attempt);
        Assert.Equal(3, (await scene.ReadLogAsync()).Count);
    }

    [Fact]
    public async Task A_hang_counts_as_transient()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = new ScriptedProvider(async (request, _, token) =>
        {
            if (request.Attempt == 1)
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, token);
            }

            return ScriptedProvider.Result;
        });
        await using var worker = await TestWorker.StartAsync(
            scene.Database, scene.Redis, provider, ("Attempts:Timeout", "00:00:05"), ("Attempts:RetryBackOff", "00:00:00.010"));

        var id = await scene.SubmitAsync();
        await scene.WaitForAsync(id, GenerationStatus.Completed);

        Assert.Equal("The generation did not finish within 00:00:05.", (await scene.ReadLogAsync())[2].Metadata!.ErrorMessage);
        Assert.Equal((2, 1), ((await scene.FindAsync(id)).Attempt, (await scene.FindAsync(id)).Failures));
    }

    [Fact]
    public async Task A_generation_that_waits_for_its_next_attempt_is_canceled_at_once()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = ScriptedProvider.Failing(() => new TransientProviderException("busy") { RetryAfter = TimeSpan.FromHours(1) });
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider);
        var id = await scene.SubmitAsync();
        await scene.WaitForAsync(id, GenerationStatus.Processing);
        await scene.WaitForAsync(id, GenerationStatus.Pending);

        var result = await scene.Database.CreateCommands().CancelAsync("u", id, cancellationToken: Token);

        Assert.Equal((CancelOutcome.Canceled, GenerationStatus.Canceled), (result.Outcome, (await scene.FindAsync(id)).Status));
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_failure_that_races_a_cancel_request_ends_canceled_and_does_not_wait()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var mayFail = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var provider = new ScriptedProvider(async (_, _, _) =>
        {
            await mayFail.Task;
            throw new TransientProviderException("busy") { RetryAfter = TimeSpan.FromHours(1) };
        });
        var id = await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider);
        await provider.NextStartAsync(Token);
        var job = Assert.Single(worker.Jobs.Snapshot());

        // The request is in the database, and its hint is lost: the worker does not know about it.
        await scene.Database.CreateCommands().CancelAsync("u", id, cancellationToken: Token);
        mayFail.SetResult();
        await job.Ended.WaitAsync(TestTime.Patience, Token);

        Assert.Null(job.Reason);
        var end = (await scene.ReadLogAsync())[^1];
        Assert.Equal((GenerationStatus.Canceled, 1), (end.Status, end.Metadata!.Attempt));
        Assert.Null(end.Metadata.ErrorMessage);
        Assert.Null(end.Metadata.RetryAt);
        Assert.Equal(GenerationStatus.Canceled, (await scene.FindAsync(id)).Status);
        Assert.Empty((await scene.Database.ClaimAsync(cancellationToken: Token)).Updates);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task Many_generations_that_fail_together_are_each_retried(int others)
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = new ScriptedProvider((request, _, _) =>
            request.Attempt == 1 ? throw new TimeoutException() : Task.FromResult(ScriptedProvider.Result));
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider, ("Attempts:RetryBackOff", "00:00:00.300"));

        var ids = await Task.WhenAll(Enumerable.Range(0, 1 + (others * 10)).Select(n => scene.SubmitAsync(userId: $"u{n % 5}")));
        for (var i = 0; i < 2 * ids.Length; i++)
        {
            await provider.NextStartAsync(Token);
        }

        await worker.StopAsync();
        Assert.Equal(
            ids.Length, await scene.Database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'completed' AND failures = 1", Token));
        await scene.Database.AssertConsistentAsync(Token);
    }
}
