using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "Credential" of the worker protocol.</summary>
[Collection(WorkerProtocolCollection.Name)]
public sealed class WorkerCredentialConformanceTests(TestServers servers, SharedApi shared)
{
    private static readonly string[] Calls =
        ["claim", "heartbeat", "generations/gen-0/update", "generations/gen-0/complete", "generations/gen-0/fail", "generations/gen-0/release", "generations/gen-0/results"];

    private readonly ConformanceWorkers _workers = new(servers, shared);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    [Requirement("B1")]
    public async Task A_worker_needs_a_valid_token()
    {
        using var anonymous = await _workers.Users.AnonymousAsync();
        await using var good = await _workers.StartAsync();
        var parts = good.Http.DefaultRequestHeaders.Authorization!.Parameter!;
        foreach (var call in Calls)
        {
            using var without = await anonymous.PostAsync($"{ConformanceWorker.Path}/{call}", Answers.Json("{}"), Token);
            await without.ProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
            foreach (var bad in new[] { "garbage", parts[..^4], parts + "x" })
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, $"{ConformanceWorker.Path}/{call}") { Content = Answers.Json("{}") };
                request.Headers.Authorization = new("Bearer", bad);
                using var with = await anonymous.SendAsync(request, Token);
                await with.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");
            }
        }
    }

    [Fact]
    [Requirement("B2")]
    public async Task A_users_token_opens_no_address_of_workers()
    {
        await using var user = await _workers.Users.UserAsync();
        foreach (var call in Calls)
        {
            using var response = await user.Http.PostAsync($"{ConformanceWorker.Path}/{call}", Answers.Json("{}"), Token);
            var problem = await response.ProblemAsync(HttpStatusCode.Forbidden, "forbidden");
            Assert.Contains("worker", (string?)problem["detail"], StringComparison.Ordinal);
        }
    }

    [Fact]
    [Requirement("B3")]
    public async Task A_workers_token_opens_no_address_of_users()
    {
        await using var worker = await _workers.StartAsync();
        await using var user = await _workers.Users.UserAsync();
        var token = worker.Http.DefaultRequestHeaders.Authorization!.Parameter!;
        foreach (var path in new[] { ConformanceUser.Generations, $"{ConformanceUser.Generations}/gen-0", ConformanceUser.Poll, ConformanceUser.Stream, "/api/v1/webhooks" })
        {
            using var refused = await worker.Http.GetAsync(path, Token);
            await refused.ProblemAsync(HttpStatusCode.Forbidden, "forbidden");
        }

        foreach (var path in new[] { ConformanceUser.Generations, ConformanceUser.Tickets })
        {
            using var refused = await worker.Http.PostAsync(path, Answers.Json("""{"type":"chat","prompt":"p"}"""), Token);
            await refused.ProblemAsync(HttpStatusCode.Forbidden, "forbidden");
        }

        using var anonymous = user.With(null);
        using var stream = await EventClient.SendAsync(anonymous, $"{ConformanceUser.Stream}?token={token}");
        await stream.ProblemAsync(HttpStatusCode.Forbidden, "forbidden");
        using var socket = await Handshake.ShakeAsync(anonymous, $"?token={token}");
        await socket.ProblemAsync(HttpStatusCode.Forbidden, "forbidden");

        await using var connection = await user.ConnectAsync();
        await connection.SendAsync(new JsonObject { ["type"] = "authenticate", ["token"] = token }.ToJsonString());
        var answer = await connection.NextAsync();
        Assert.Equal(("error", "invalid_token"), ((string?)answer["type"], (string?)answer["code"]));
    }

    [Fact]
    [Requirement("B4")]
    public async Task A_token_allows_only_the_tasks_that_it_names()
    {
        var address = await _workers.Users.AddressAsync();
        foreach (var tasks in new[] { Array.Empty<string>(), ["another_task"] })
        {
            // The development endpoint issues no token without tasks.
            var token = await _workers.IssueAsync("conformance-0", tasks.Length == 0 ? ["yet_another"] : tasks);
            await using var worker = new ConformanceWorker(address, token, $"w-{Guid.NewGuid():N}");
            using var refused = await worker.PostAsync("claim", worker.ClaimBody());
            var problem = await refused.ProblemAsync(HttpStatusCode.Forbidden, "forbidden");
            Assert.Contains(ConformanceWorkers.Type, (string?)problem["detail"], StringComparison.Ordinal);
            Assert.Contains("another", (string?)problem["detail"], StringComparison.Ordinal);
        }

        await using var allowed = new ConformanceWorker(
            address, await _workers.IssueAsync("conformance-0", "another_task", ConformanceWorkers.Type), $"w-{Guid.NewGuid():N}");
        Assert.Empty(await allowed.ClaimAsync());
    }

    [Fact]
    [Requirement("F4")]
    public async Task Answers_state_how_many_requests_of_workers_are_left()
    {
        await using var worker = await _workers.StartAsync();
        using var response = await worker.PostAsync("heartbeat", worker.Body(("generations", new JsonArray())));
        await response.DataAsync();
        Assert.Contains(response.Headers.GetValues("RateLimit"), value => value.Contains("r=", StringComparison.Ordinal));
        Assert.Contains(response.Headers.GetValues("RateLimit-Policy"), value => value.Contains("q=", StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("B5")]
    public async Task What_one_name_holds_no_other_name_can_change_or_extend()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var holder = await _workers.StartAsync();
        await using var other = await _workers.StartAsync(holder.Id, name: 1);
        await user.SubmitAsync(ConformanceWorkers.Type);
        var lease = await holder.ClaimOneAsync();

        var beat = await other.HeartbeatAsync([lease]);
        Assert.Equal([ConformanceWorker.Of(lease)], beat["lost"]!.AsArray().Select(lost => ConformanceWorker.Of(lost!)));
        foreach (var call in new[] { "update", "complete", "fail", "release" })
        {
            using var refused = await other.CallAsync(call, lease, ("progress", 50), ("resultUrls", new JsonArray("https://example.com/")));
            await refused.ProblemAsync(HttpStatusCode.Conflict, "stale_attempt");
        }

        using var upload = await other.UploadAsync(lease, new ByteArrayContent([1]) { Headers = { ContentType = new("video/mp4") } });
        await upload.ProblemAsync(HttpStatusCode.Conflict, "stale_attempt");
        Assert.Equal("completed", (string?)(await holder.CompleteAsync(lease))["status"]);
    }
}
