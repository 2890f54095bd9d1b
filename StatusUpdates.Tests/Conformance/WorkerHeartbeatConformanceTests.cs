using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "Heartbeat" of the worker protocol.</summary>
[Collection(WorkerProtocolCollection.Name)]
public sealed class WorkerHeartbeatConformanceTests(TestServers servers, SharedApi shared)
{
    private readonly ConformanceWorkers _workers = new(servers, shared);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    [Requirement("H2", "H6")]
    public async Task What_a_worker_does_not_hold_is_lost()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await user.SubmitAsync(ConformanceWorkers.Type);
        await user.SubmitAsync(ConformanceWorkers.Type);
        var (ended, held) = (await worker.ClaimOneAsync(), await worker.ClaimOneAsync());
        await worker.CompleteAsync(ended);

        var unknown = JsonNode.Parse("""{"id":"gen-unknown","attempt":1}""")!;
        var older = JsonNode.Parse($$"""{"id":"{{(string)held["id"]!}}","attempt":7}""")!;
        var beat = await worker.HeartbeatAsync([ended, held, unknown, older]);
        Assert.Equal(
            new[] { ConformanceWorker.Of(ended), ConformanceWorker.Of(unknown), ConformanceWorker.Of(older) }.Order(),
            beat["lost"]!.AsArray().Select(lost => ConformanceWorker.Of(lost!)).Order());
        Assert.Empty(beat["stop"]!.AsArray());
        Assert.Empty(beat["unlisted"]!.AsArray());
        Assert.InRange((double)beat["nextSeconds"]!, 1, 20);
    }

    [Fact]
    [Requirement("H3")]
    public async Task What_has_to_stop_is_named_with_the_reason()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await user.SubmitAsync(ConformanceWorkers.Type);
        var canceled = await worker.ClaimOneAsync();
        var body = $$"""{"type":"{{ConformanceWorkers.Type}}","prompt":"p","deadline":"{{DateTimeOffset.UtcNow.AddSeconds(5):O}}"}""";
        using var submitted = await user.Http.PostAsync(ConformanceUser.Generations, Answers.Json(body), Token);
        await submitted.DataAsync(HttpStatusCode.Accepted);
        var overdue = await worker.ClaimOneAsync();

        using var cancel = await user.CancelAsync((string)canceled["id"]!);
        var reasons = new Dictionary<string, string>();
        while (reasons.Count < 2)
        {
            foreach (var stop in (await worker.HeartbeatAsync([canceled, overdue]))["stop"]!.AsArray())
            {
                reasons[(string)stop!["id"]!] = (string)stop["reason"]!;
            }
        }

        Assert.Equal(("cancel_requested", "deadline_passed"), (reasons[(string)canceled["id"]!], reasons[(string)overdue["id"]!]));
        Assert.Equal("canceled", (string?)(await worker.EndAsync("release", canceled))["status"]);
        Assert.Equal("failed", (string?)(await worker.EndAsync("release", overdue))["status"]);
    }

    [Fact]
    [Requirement("H4")]
    public async Task What_a_worker_holds_without_knowing_it_is_shown()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await user.SubmitAsync(ConformanceWorkers.Type);
        await user.SubmitAsync(ConformanceWorkers.Type);
        var (known, unknown) = (await worker.ClaimOneAsync(), await worker.ClaimOneAsync());
        for (var i = 0; i < 2; i++)
        {
            var beat = await worker.HeartbeatAsync([known]);
            Assert.Equal([ConformanceWorker.Of(unknown)], beat["unlisted"]!.AsArray().Select(other => ConformanceWorker.Of(other!)));
        }

        Assert.Equal("pending", (string?)(await worker.EndAsync("release", unknown))["status"]);
        Assert.Empty((await worker.HeartbeatAsync([known]))["unlisted"]!.AsArray());
    }

    [Fact]
    [Requirement("H5")]
    public async Task A_waiting_heartbeat_is_answered_when_something_has_to_stop()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await user.SubmitAsync(ConformanceWorkers.Type);
        var lease = await worker.ClaimOneAsync();

        var started = Stopwatch.GetTimestamp();
        var quiet = await worker.HeartbeatAsync([lease], wait: 1);
        Assert.True(Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(0.9), "It did not wait.");
        Assert.Empty(quiet["stop"]!.AsArray());

        var waiting = worker.HeartbeatAsync([lease], lease: 120, wait: 60);
        using var cancel = await user.CancelAsync((string)lease["id"]!);
        started = Stopwatch.GetTimestamp();
        var stop = Assert.Single((await waiting)["stop"]!.AsArray());
        Assert.Equal((ConformanceWorker.Of(lease), "cancel_requested"), (ConformanceWorker.Of(stop!), (string?)stop!["reason"]));
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(45), "It waited for the end of its time.");

        // At once, if there is something to tell already.
        Assert.Single((await worker.HeartbeatAsync([lease], lease: 120, wait: 60))["stop"]!.AsArray());
        Assert.Single((await worker.HeartbeatAsync([JsonNode.Parse("""{"id":"gen-unknown","attempt":1}""")!], lease: 120, wait: 60))["lost"]!.AsArray());

        using var tooLong = await worker.PostAsync("heartbeat", worker.Body(("generations", new JsonArray()), ("leaseSeconds", 30), ("waitSeconds", 16)));
        var problem = await tooLong.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(["waitSeconds"], problem["errors"]!.AsObject().Select(error => error.Key));
    }
}
