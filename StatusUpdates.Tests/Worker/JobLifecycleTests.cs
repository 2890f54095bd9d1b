using System.Diagnostics;
using System.Net;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Tests.Worker;

public sealed class JobLifecycleTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_generation_goes_from_pending_through_progress_to_completed_without_a_gap()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis);

        var id = await scene.SubmitAsync();
        var last = await scene.WaitForAsync(id, GenerationStatus.Completed);

        var log = await scene.ReadLogAsync();
        Assert.Equal(
            ["pending", "processing", "processing 10", "processing 35", "processing 60", "processing 85", "completed 100"],
            log.Select(u => $"{u.Status.ToWireName()} {u.Metadata?.Progress}".TrimEnd()));
        Assert.Equal(Enumerable.Range(1, 7).Select(n => (long?)n), log.Select(u => u.Seq));
        Assert.All(log.Skip(1), u => Assert.Equal(1, u.Metadata!.Attempt));
        Assert.Equal(7, last.Seq);
        Assert.True(last.Metadata!.TokensUsed > 0);
        var generation = await scene.FindAsync(id);
        Assert.Equal(last.Metadata.ResultUrls, generation.ResultUrls);
        Assert.NotNull(generation.StartedAt);
        Assert.NotNull(generation.CompletedAt);
        Assert.Null(generation.LeaseOwner);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Every_update_is_announced_after_it_is_durable_and_in_order()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var seen = new List<(long? Seq, long Head)>();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var subscription = await new StatusSubscriber(scene.Redis.Connection, scene.Redis.Options).SubscribeUserAsync(
            "u",
            async (update, token) =>
            {
                seen.Add((update.Seq, (await scene.Database.Log.ReadBoundsAsync("u", token)).Last));
                if (update.Status.IsTerminal())
                {
                    done.SetResult();
                }
            },
            Token);
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis);

        await scene.SubmitAsync();
        await done.Task.WaitAsync(TestTime.Patience, Token);

        Assert.Equal(Enumerable.Range(1, 7).Select(n => (long?)n), seen.Select(s => s.Seq));
        Assert.All(seen, s => Assert.True(s.Head >= s.Seq));
    }

    [Fact]
    public async Task A_provider_that_fails_on_request_gives_failed_with_that_message()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis);

        var id = await scene.SubmitAsync(options: """{"fail":"The kiln went cold."}""");
        var update = await scene.WaitForAsync(id, GenerationStatus.Failed);

        Assert.Equal("The kiln went cold.", update.Metadata!.ErrorMessage);
        Assert.Equal("The kiln went cold.", (await scene.FindAsync(id)).ErrorMessage);
        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Invalid_text_from_a_provider_is_repaired_and_truncated_and_does_no_harm()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = ScriptedProvider.Failing(() => new ProviderException("a\0b\ud800c" + new string('x', 100_000)));
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider);

        var update = await scene.WaitForAsync(await scene.SubmitAsync(), GenerationStatus.Failed);

        var message = update.Metadata!.ErrorMessage!;
        Assert.StartsWith("a\ufffdb\ufffdcxxx", message, StringComparison.Ordinal);
        Assert.Equal(ProviderText.MaxErrorLength, message.Length);
    }

    [Theory]
    [InlineData("a thrown exception", "No such model.")]
    [InlineData("no result", "The provider returned no result.")]
    [InlineData("a wrong kind", "The provider returned text/plain instead of image/*.")]
    [InlineData("poison in the media type", "The provider returned a result without a valid media type.")]
    [InlineData("a script link", "The provider returned a result address that is not a plain http or https address.")]
    [InlineData("too much", "The provider returned a result that is too large: more than 1048576 bytes.")]
    [InlineData("a time-out of its own", "The provider timed out.")]
    [InlineData("no connection", "The provider's service could not be reached.")]
    [InlineData("a refusal of its service", "The provider's service answered 403.")]
    [InlineData("a defect", "The provider failed unexpectedly.")]
    [InlineData("two at once", "No such model.")]
    public async Task Whatever_a_provider_does_wrong_ends_in_failed_with_a_readable_message(string fault, string message)
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = new ScriptedProvider((_, _, _) => Task.FromResult<ProviderResult>(fault switch
        {
            "a thrown exception" => throw new ProviderException("No such model."),
            "no result" => new([], 0),
            "a wrong kind" => new([new ProviderContent("text/plain", [1])], 0),
            "poison in the media type" => new([new ProviderContent("image/\0png", [1])], 0),
            "a script link" => new([new ProviderLink(new Uri("javascript:alert(1)"))], 0),
            "too much" => new([new ProviderContent("image/png", new byte[(1024 * 1024) + 1])], 0),
            "no connection" => throw new HttpRequestException("Connection refused (10.1.2.3:8443)"),
            "a refusal of its service" => throw new HttpRequestException("key sk-123 is unknown", null, HttpStatusCode.Forbidden),
            "a defect" => throw new InvalidOperationException("/srv/models/secret.bin"),
            "two at once" => throw new AggregateException(new ProviderException("No such model."), new TimeoutException()),
            _ => throw new TaskCanceledException(),
        }));
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider, ("Attempts:MaxFailures", "1"), ("Results:MaxBytes", "1048576"));

        var update = await scene.WaitForAsync(await scene.SubmitAsync(), GenerationStatus.Failed);

        Assert.Equal(message, update.Metadata!.ErrorMessage);
    }

    [Fact]
    public async Task Results_that_a_provider_serves_itself_are_passed_on_unchanged()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = new ScriptedProvider((_, _, _) => Task.FromResult(
            new ProviderResult([new ProviderLink(new Uri("https://cdn.example.com/a%20b.mp4?x=1")), new ProviderContent("video/mp4", [1])], -5)));
        await using var worker = await TestWorker.StartAsync(
            scene.Database, scene.Redis, provider, ("Results:PublicBaseUrl", "https://status.example.com/base/"));

        var update = await scene.WaitForAsync(await scene.SubmitAsync("sora"), GenerationStatus.Completed);

        Assert.Equal("https://cdn.example.com/a%20b.mp4?x=1", update.Metadata!.ResultUrls![0]);
        Assert.Matches("^https://status.example.com/base/results/[0-9a-f]{32}$", update.Metadata.ResultUrls[1]);
        Assert.Equal(0, update.Metadata.TokensUsed);
    }

    [Fact]
    public async Task Progress_only_rises_however_a_provider_reports_it()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = new ScriptedProvider(async (_, progress, token) =>
        {
            foreach (var percent in (int[])[-5, 20, 20, 10, 50, 400])
            {
                await progress.ReportAsync(percent, token);
            }

            await Task.WhenAll(Enumerable.Range(0, 50).Select(n => progress.ReportAsync(n, token)));
            return ScriptedProvider.Result;
        });
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider);

        await scene.WaitForAsync(await scene.SubmitAsync(), GenerationStatus.Completed);

        Assert.Equal([0, 20, 50, 100, 100], (await scene.ReadLogAsync()).Skip(2).Select(u => u.Metadata!.Progress));
    }

    [Fact]
    public async Task A_job_and_its_updates_belong_to_the_trace_of_the_submission()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var trace = ActivityTraceId.CreateRandom();
        var parent = $"00-{trace}-{ActivitySpanId.CreateRandom()}-01";
        var spans = new System.Collections.Concurrent.ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "StatusUpdates.Worker" or "StatusUpdates.Data",
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                if (span.TraceId == trace)
                {
                    spans.Enqueue(span);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        var worker = await TestWorker.StartAsync(scene.Database, scene.Redis);

        await scene.WaitForAsync(await scene.SubmitAsync(traceParent: parent), GenerationStatus.Completed);
        await worker.DisposeAsync();

        var claim = Assert.Single(spans, span => span.OperationName == "claim");
        Assert.Equal(parent, claim.ParentId);
        var span = Assert.Single(spans, span => span.Source.Name == "StatusUpdates.Worker");
        Assert.Equal(("process product_card", claim.Id), (span.OperationName, span.ParentId));
        Assert.Equal("completed", span.GetTagItem("statusupdates.outcome"));
        var log = await scene.ReadLogAsync();
        Assert.All(log, u => Assert.Contains(trace.ToString(), u.TraceParent, StringComparison.Ordinal));
        Assert.All(log.Skip(2), u => Assert.Contains(span.SpanId.ToString(), u.TraceParent, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_Redis_the_queue_is_polled_and_nothing_is_missing()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = ScriptedProvider.Finishing();
        var worker = await TestWorker.StartAsync(scene.Database, null, provider, ("Worker:PollInterval", "00:00:00.020"));

        string[] ids = [await scene.SubmitAsync(), await scene.SubmitAsync()];
        await provider.NextStartAsync(Token);
        await provider.NextStartAsync(Token);
        await worker.DisposeAsync();

        foreach (var id in ids)
        {
            Assert.Equal(GenerationStatus.Completed, (await scene.FindAsync(id)).Status);
        }

        await scene.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_message_on_Redis_wakes_the_worker_at_once()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = ScriptedProvider.Finishing();
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, provider);

        // The next poll is minutes away: only the messages can make the worker check the queue, every time.
        for (var i = 0; i < 5; i++)
        {
            await scene.WaitForAsync(await scene.SubmitAsync(), GenerationStatus.Completed);
        }
    }

    [Fact]
    public async Task A_slot_that_becomes_free_is_filled_at_once_while_generations_are_pending()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        for (var i = 0; i < 9; i++)
        {
            await scene.SubmitAsync();
        }

        var last = await scene.SubmitAsync();
        var provider = ScriptedProvider.Finishing();
        await using var worker = await TestWorker.StartAsync(scene.Database, null, provider, ("Worker:Concurrency", "1"));

        for (var i = 0; i < 10; i++)
        {
            var request = await provider.NextStartAsync(Token);
            Assert.Equal(i == 9, request.GenerationId == last);
        }
    }

    [Fact]
    public async Task Two_workers_share_the_queue_and_run_nothing_twice()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = new ScriptedProvider(async (_, progress, token) =>
        {
            await progress.ReportAsync(50, token);
            return ScriptedProvider.Result;
        });
        await using var first = await TestWorker.StartAsync(scene.Database, scene.Redis, provider, ("Worker:Concurrency", "4"));
        await using var second = await TestWorker.StartAsync(scene.Database, scene.Redis, provider, ("Worker:Concurrency", "4"));

        var ids = await Task.WhenAll(Enumerable.Range(0, 60).Select(n => scene.SubmitAsync(userId: $"u{n % 5}")));
        for (var i = 0; i < ids.Length; i++)
        {
            await provider.NextStartAsync(Token);
        }

        await Task.WhenAll(first.StopAsync(), second.StopAsync());
        Assert.Equal(ids.Order(StringComparer.Ordinal), provider.Runs.Select(r => r.GenerationId).Order(StringComparer.Ordinal));
        Assert.Empty(provider.Overlapped);
        Assert.Equal(60L, await scene.Database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'completed' AND attempt = 1", Token));
        await scene.Database.AssertConsistentAsync(Token);
    }
}
