using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Conformance;

namespace StatusUpdates.Tests.RemoteWorkers;

/// <summary>Workers over the API while something fails.</summary>
public sealed class RemoteFaultTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task While_Postgres_is_away_every_call_says_when_to_come_back_and_an_outcome_can_be_repeated_later()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var database = await cluster.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        await using var api = await TestApi.StartAsync(database, redis, new Dictionary<string, string?> { ["StatusDatabase:RetryFor"] = "00:00:01" });
        var id = await api.SubmitAsync();
        var worker = api.ConnectWorker();
        var lease = await worker.ClaimOneAsync(lease: 600);
        (string, JsonNode?)[] outcome = [("resultUrls", new JsonArray("https://example.com/")), ("updateId", Guid.CreateVersion7().ToString())];

        await cluster.Server.StopAsync(StopMode.Fast, Token);
        using var claim = await worker.PostAsync("claim", worker.ClaimBody(wait: 60));
        using var heartbeat = await worker.PostAsync("heartbeat", worker.Body(("generations", new JsonArray())));
        using var complete = await worker.CallAsync("complete", lease, outcome);
        using var upload = await worker.UploadAsync(lease, new ByteArrayContent([1]) { Headers = { ContentType = new("video/mp4") } });
        foreach (var refused in new[] { claim, heartbeat, complete, upload })
        {
            await refused.ProblemAsync(HttpStatusCode.ServiceUnavailable, "database_unavailable");
            Assert.NotNull(refused.Headers.RetryAfter);
        }

        await cluster.Server.RestartAsync(StopMode.Fast, Token);
        await Eventually.TrueAsync(
            async () =>
            {
                using var again = await worker.CallAsync("complete", lease, outcome);
                return again.IsSuccessStatusCode;
            },
            everyMilliseconds: 100);
        Assert.Equal("completed", await database.ScalarAsync<string>($"SELECT status FROM generations WHERE id = '{id}'", Token));
    }

    [Fact]
    public async Task What_nothing_on_Redis_announced_is_found_by_a_poll()
    {
        await using var api = await TestApi.StartAsync(servers);
        var waiting = api.ConnectWorker().ClaimAsync(wait: 60);
        await api.Database.SubmitAsync("u", "sora", cancellationToken: Token);
        Assert.Single(await waiting);
    }

    [Fact]
    public async Task A_waiting_claim_is_woken_by_the_announcement_alone()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["WorkerProtocol:PollInterval"] = "01:00:00" });
        var waiting = api.ConnectWorker().ClaimAsync(wait: 60);

        // The first ones may be announced before the API listens.
        while (!waiting.IsCompleted)
        {
            await api.SubmitAsync();
            await Task.WhenAny(waiting, Task.Delay(20, Token));
        }

        Assert.NotEmpty(await waiting);
    }

    [Fact]
    public async Task A_hint_that_nobody_asked_to_cancel_ends_no_heartbeat()
    {
        await using var api = await TestApi.StartAsync(servers);
        var publisher = new StatusPublisher(api.Redis.Connection, api.Redis.Options);
        var id = await api.SubmitAsync();
        var worker = api.ConnectWorker();
        var lease = await worker.ClaimOneAsync();
        var waiting = worker.HeartbeatAsync([lease], lease: 120, wait: 60);
        for (var i = 0; i < 20; i++)
        {
            await publisher.TryPublishCancelRequestAsync(id);
            await Task.Delay(10, Token);
        }

        Assert.False(waiting.IsCompleted);
        await api.CancelAsync(id);
        Assert.Single((await waiting)["stop"]!.AsArray());
    }

    [Fact]
    public async Task A_lease_whose_row_is_locked_is_not_lost_and_is_tried_again_soon()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.SubmitAsync();
        var worker = api.ConnectWorker();
        var lease = await worker.ClaimOneAsync();
        await using (await api.Database.LockAsync("SELECT FROM generations"))
        {
            var beat = await worker.HeartbeatAsync([lease], lease: 60);
            Assert.Empty(beat["lost"]!.AsArray());
            Assert.InRange((double)beat["nextSeconds"]!, 0, 6);
        }

        await Eventually.TrueAsync(async () => (double)(await worker.HeartbeatAsync([lease], lease: 60))["nextSeconds"]! > 6, everyMilliseconds: 50);
    }

    [Fact]
    public async Task An_attempt_that_takes_too_long_is_told_to_stop_and_its_lease_is_not_extended()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["Attempts:Timeout"] = "00:00:01" });
        var id = await api.SubmitAsync();
        var worker = api.ConnectWorker();
        var lease = await worker.ClaimOneAsync(lease: 30);
        Assert.InRange((double)lease["secondsLeft"]!, 0.5, 1);

        // While it waits, its time passes.
        var stop = Assert.Single((await worker.HeartbeatAsync([lease], lease: 120, wait: 60))["stop"]!.AsArray());
        Assert.Equal("timed_out", (string?)stop!["reason"]);
        var end = await EndOfLeaseAsync(api, id);
        Assert.Single((await worker.HeartbeatAsync([lease], lease: 500))["stop"]!.AsArray());
        Assert.Equal(end, await EndOfLeaseAsync(api, id));

        // The user reads why; it counts as a failure.
        Assert.Equal("pending", (string?)(await worker.EndAsync("release", lease))["status"]);
        Assert.Equal(1, await api.Database.ScalarAsync<int>($"SELECT failures FROM generations WHERE id = '{id}'", Token));
        Assert.Equal(
            "The generation did not finish within 00:00:01.",
            await api.Database.ScalarAsync<string>("SELECT metadata ->> 'errorMessage' FROM status_events ORDER BY seq DESC LIMIT 1", Token));
    }

    [Fact]
    public async Task Instances_share_a_worker()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var other = await api.StartAnotherAsync();
        await api.SubmitAsync();
        await api.SubmitAsync();
        var here = api.ConnectWorker();
        var there = other.ConnectWorker(here.Id);
        var (first, second) = (await here.ClaimOneAsync(), await there.ClaimOneAsync());
        foreach (var side in new[] { here, there, here })
        {
            var beat = await side.HeartbeatAsync([first, second]);
            Assert.Equal((0, 0, 0), (beat["lost"]!.AsArray().Count, beat["stop"]!.AsArray().Count, beat["unlisted"]!.AsArray().Count));
        }

        var waiting = there.HeartbeatAsync([first, second], lease: 120, wait: 60);
        await api.CancelAsync((string)second["id"]!);
        Assert.Equal(ConformanceWorker.Of(second), ConformanceWorker.Of(Assert.Single((await waiting)["stop"]!.AsArray())!));
        await there.CompleteAsync(first);
        await here.EndAsync("release", second);
    }

    private static Task<DateTime> EndOfLeaseAsync(TestApi api, string id) =>
        api.Database.ScalarAsync<DateTime>($"SELECT lease_expires_at FROM generations WHERE id = '{id}'", Token);
}
