using Npgsql;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Jobs;

namespace StatusUpdates.Tests.Worker;

public sealed class LeaseTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_lost_lease_cancels_the_token_and_the_old_attempt_changes_nothing()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var stubborn = new ScriptedProvider(async (_, _, token) =>
        {
            token.Register(stopped.SetResult);
            await stopped.Task;
            return ScriptedProvider.Result;
        });
        var id = await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, stubborn);
        await stubborn.NextStartAsync(Token);
        var job = Assert.Single(worker.Jobs.Snapshot());
        await scene.ExpireLeasesAsync();
        var successor = Assert.Single((await scene.Database.ClaimAsync(owner: "other", cancellationToken: Token)).Claimed);

        await worker.Heartbeat.RunOnceAsync(Token);
        await job.Ended.WaitAsync(TestTime.Patience, Token);

        Assert.Equal(StopReason.LeaseLost, job.Reason);
        Assert.Equal((GenerationStatus.Processing, 2), ((await scene.FindAsync(id)).Status, successor.Attempt));
        Assert.Equal(3, (await scene.ReadLogAsync()).Count);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_job_whose_row_is_locked_is_not_lost_and_the_other_leases_are_extended()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var waiting = ScriptedProvider.WaitingForStop();
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, waiting);
        var locked = await scene.SubmitAsync();
        await waiting.NextStartAsync(Token);
        var free = await scene.SubmitAsync();
        await waiting.NextStartAsync(Token);
        await scene.Database.ExecuteAsync("UPDATE generations SET lease_expires_at = now() + interval '1 second'", Token);
        const string Extended = "SELECT string_agg(id, ',') FROM generations WHERE lease_expires_at > now() + interval '1 minute'";
        await using (var holder = await scene.Database.DataSource.OpenConnectionAsync(Token))
        await using (var transaction = await holder.BeginTransactionAsync(Token))
        {
            await using var hold = new NpgsqlCommand($"SELECT FROM generations WHERE id = '{locked}' FOR UPDATE", holder);
            await hold.ExecuteNonQueryAsync(Token);

            // The heartbeat does not wait: the lock is held until it has returned.
            Assert.False(await worker.Heartbeat.RunOnceAsync(Token));
            Assert.Equal(free, await scene.Database.ScalarAsync<string>(Extended, Token));
            Assert.All(worker.Jobs.Snapshot(), job => Assert.Null(job.Reason));
            await transaction.RollbackAsync(Token);
        }

        Assert.True(await worker.Heartbeat.RunOnceAsync(Token));
        Assert.Equal(2L, await scene.Database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE lease_expires_at > now() + interval '1 minute'", Token));
        Assert.All(worker.Jobs.Snapshot(), job => Assert.Null(job.Reason));
    }

    [Fact]
    public async Task A_refused_update_stops_the_attempt_before_any_heartbeat_does()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var mayReport = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var wasStopped = false;
        var provider = new ScriptedProvider(async (_, progress, token) =>
        {
            await mayReport.Task.WaitAsync(token);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => progress.ReportAsync(50, CancellationToken.None));
            wasStopped = token.IsCancellationRequested;
            return ScriptedProvider.Result;
        });
        await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider);
        await provider.NextStartAsync(Token);
        var job = Assert.Single(worker.Jobs.Snapshot());
        await scene.ExpireLeasesAsync();
        await scene.Database.ClaimAsync(owner: "other", cancellationToken: Token);

        mayReport.SetResult();
        await job.Ended.WaitAsync(TestTime.Patience, Token);

        Assert.True(wasStopped);
        Assert.Equal(3, (await scene.ReadLogAsync()).Count);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_worker_that_takes_over_its_own_expired_generation_stops_the_first_run()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = new ScriptedProvider(async (request, _, token) =>
        {
            if (request is { Prompt: "wait", Attempt: 1 })
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, token);
            }

            return ScriptedProvider.Result;
        });
        var id = await scene.SubmitAsync(prompt: "wait");
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider);
        await provider.NextStartAsync(Token);
        var first = Assert.Single(worker.Jobs.Snapshot());
        await scene.ExpireLeasesAsync();

        await scene.SubmitAsync(userId: "v");
        var update = await scene.WaitForAsync(id, GenerationStatus.Completed);
        await first.Ended.WaitAsync(TestTime.Patience, Token);

        Assert.Equal(2, update.Metadata!.Attempt);
        Assert.Equal(StopReason.LeaseLost, first.Reason);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Leases_of_a_claim_whose_response_was_lost_go_back_to_the_queue()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var waiting = ScriptedProvider.WaitingForStop();
        await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(scene.Database, null, waiting, ("Worker:GracePeriod", "00:00:00"));
        await waiting.NextStartAsync(Token);
        var id = (await scene.Database.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        await scene.Database.ClaimAsync(owner: worker.Owner, cancellationToken: Token);

        await worker.Heartbeat.RunOnceAsync(Token);

        var generation = await scene.FindAsync(id);
        Assert.Equal((GenerationStatus.Pending, 1, 0), (generation.Status, generation.Attempt, generation.Failures));
        Assert.Null(Assert.Single(worker.Jobs.Snapshot()).Reason);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task The_heartbeat_runs_by_itself_and_keeps_a_long_job_alive()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var waiting = ScriptedProvider.WaitingForStop();
        await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, waiting, ("Worker:Lease", "00:00:15"), ("Worker:GracePeriod", "00:00:00"));
        await waiting.NextStartAsync(Token);
        var job = Assert.Single(worker.Jobs.Snapshot());

        // Another worker looks for expired leases until this one has been extended three times. A heartbeat may be late by two thirds of a
        // lease, which is ten seconds.
        var ends = new HashSet<DateTime>();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (ends.Count < 4)
        {
            Assert.Empty((await scene.Database.ClaimAsync(owner: "other", cancellationToken: Token)).Updates);
            ends.Add(await scene.Database.ScalarAsync<DateTime>("SELECT lease_expires_at FROM generations", Token));
            await timer.WaitForNextTickAsync(Token);
        }

        Assert.Null(job.Reason);
    }

    [Fact]
    public async Task An_outcome_that_could_not_be_written_at_once_is_written_later_although_the_provider_has_not_returned()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var proxy = TcpProxy.ToDatabase(scene.Database.ConnectionString, out var proxied);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var provider = new ScriptedProvider(async (request, _, _) =>
        {
            if (request.Attempt == 1)
            {
                // The next request writes the outcome: there is no other before the job's time limit.
                proxy.WithholdRequest(cut: true);
                await release.Task;
            }

            return ScriptedProvider.Result;
        });
        var id = await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(
            scene.Database,
            scene.Redis,
            provider,
            ("ConnectionStrings:statusdb", proxied),
            ("StatusDatabase:RetryFor", "00:00:00"),
            ("Attempts:Timeout", "00:00:03"),
            ("Worker:StopPatience", "00:00:00"));
        await provider.NextStartAsync(Token);
        var job = Assert.Single(worker.Jobs.Snapshot());

        await job.Settled.WaitAsync(TestTime.Patience, Token);
        Assert.Equal((StopReason.TimedOut, GenerationStatus.Pending), (job.Reason, (await scene.FindAsync(id)).Status));

        Assert.Equal(2, (await scene.WaitForAsync(id, GenerationStatus.Completed)).Metadata!.Attempt);
        Assert.False(job.Ended.IsCompleted);
        release.SetResult();
        await job.Ended.WaitAsync(TestTime.Patience, Token);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_database_that_is_away_costs_neither_an_attempt_nor_the_providers_result()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var proxy = TcpProxy.ToDatabase(scene.Database.ConnectionString, out var proxied);
        var mayReport = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var provider = new ScriptedProvider(async (_, progress, token) =>
        {
            await mayReport.Task.WaitAsync(token);
            await progress.ReportAsync(50, token);
            return ScriptedProvider.Result;
        });
        var id = await scene.SubmitAsync();
        await using var worker = await TestWorker.StartAsync(
            scene.Database,
            scene.Redis,
            provider,
            ("ConnectionStrings:statusdb", proxied),
            ("StatusDatabase:RetryFor", "00:00:00"));
        await provider.NextStartAsync(Token);
        var job = Assert.Single(worker.Jobs.Snapshot());

        // Nothing listens there: the writes of progress, the result's content and its status all fail at first.
        proxy.TargetPort = LoopbackPort.FindFree();
        proxy.Cut();
        var tries = proxy.Accepted;
        mayReport.SetResult();
        await Eventually.TrueAsync(() => proxy.Accepted >= tries + 5);
        Assert.False(job.Settled.IsCompleted);
        proxy.TargetPort = new NpgsqlConnectionStringBuilder(scene.Database.ConnectionString).Port;

        var update = await scene.WaitForAsync(id, GenerationStatus.Completed);
        Assert.Equal((1, 7L), (update.Metadata!.Attempt, update.Metadata.TokensUsed));
        await job.Ended.WaitAsync(TestTime.Patience, Token);
        Assert.Single(provider.Runs);
        Assert.Equal(0, (await scene.FindAsync(id)).Failures);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Lost_responses_of_the_database_lose_no_generation()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var proxy = TcpProxy.ToDatabase(scene.Database.ConnectionString, out var proxied);
        var provider = ScriptedProvider.Finishing();
        await using var worker = await TestWorker.StartAsync(
            scene.Database,
            scene.Redis,
            provider,
            ("ConnectionStrings:statusdb", proxied),
            ("StatusDatabase:RetryFor", "00:00:00"),
            ("Worker:Lease", "00:00:09"),
            ("Worker:PollInterval", "00:00:00.010"));
        await scene.WaitForAsync(await scene.SubmitAsync(), GenerationStatus.Completed);

        proxy.LoseAnswers(4);
        var id = await scene.SubmitAsync();

        // Whichever responses are lost, of claims, of heartbeats or of the run's own updates: the generation is run again.
        await scene.WaitForAsync(id, GenerationStatus.Completed);
        Assert.Equal(0, (await scene.FindAsync(id)).Failures);
        await scene.Database.AssertConsistentAsync(Token);
    }
}
