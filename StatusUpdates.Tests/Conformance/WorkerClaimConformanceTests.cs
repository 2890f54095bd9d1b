using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "Claim" of the worker protocol.</summary>
[Collection(WorkerProtocolCollection.Name)]
public sealed class WorkerClaimConformanceTests(TestServers servers, SharedApi shared)
{
    private readonly ConformanceWorkers _workers = new(servers, shared);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    [Requirement("Q1")]
    public async Task A_granted_generation_is_processing_and_no_other_worker_gets_it()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await using var other = await _workers.StartAsync();
        var deadline = DateTimeOffset.UtcNow.AddHours(2);
        var body = new JsonObject
        {
            ["type"] = ConformanceWorkers.Type,
            ["prompt"] = "A red kite",
            ["deadline"] = deadline.ToString("O"),
            ["options"] = new JsonObject { ["seed"] = 7 },
        };
        using var submitted = await user.Http.PostAsync(ConformanceUser.Generations, Answers.Json(body.ToJsonString()), Token);
        var id = (string)(await submitted.DataAsync(HttpStatusCode.Accepted))["id"]!;

        var lease = await worker.ClaimOneAsync();
        Assert.Equal(
            (id, 1, 0, user.UserId, ConformanceWorkers.Type, "A red kite"),
            ((string?)lease["id"], (int)lease["attempt"]!, (int)lease["failures"]!, (string?)lease["userId"], (string?)lease["type"], (string?)lease["prompt"]));
        Assert.Equal(ConformanceWorkers.Type, (string?)lease["task"]);
        Assert.Equal(7, (int)lease["options"]!["seed"]!);
        Assert.InRange((double)lease["secondsLeft"]!, 1, 7_200);
        Assert.Equal(deadline, Time(lease["deadline"]), TimeSpan.FromMilliseconds(1));
        Assert.InRange(Time(lease["leaseExpiresAt"]), DateTimeOffset.UtcNow, DateTimeOffset.UtcNow.AddSeconds(90));

        var update = (await user.ReadAsync(0, update => (string?)update["status"] == "processing"))[^1];
        Assert.Equal((id, 1), ((string?)update["generationId"], (int)update["metadata"]!["attempt"]!));
        Assert.Empty(await other.ClaimAsync());
        Assert.Empty(await worker.ClaimAsync());
        using var canceled = await user.CancelAsync(id);
    }

    [Fact]
    [Requirement("Q2")]
    public async Task A_claim_is_granted_no_more_than_it_asks_for()
    {
        await using var users = new ManyUsers(await _workers.Users.UsersAsync(2));
        await using var worker = await _workers.StartAsync();
        for (var i = 0; i < 8; i++)
        {
            await users[i % 2].SubmitAsync(ConformanceWorkers.Type);
        }

        var first = await worker.ClaimAsync(free: 2, wait: 30);
        Assert.Equal(2, first.Length);
        var limited = await worker.ClaimAsync(free: 10, more: ("freeOf", new JsonObject { [ConformanceWorkers.Type] = 1 }));
        Assert.Single(limited);
        Assert.Distinct(first.Concat(limited).Select(ConformanceWorker.Of));

        // Nobody does this task, whatever is pending for others.
        await using var other = new ConformanceWorker(
            await _workers.Users.AddressAsync(), await _workers.IssueAsync("conformance-0", "nobodys_task"), $"w-{Guid.NewGuid():N}");
        Assert.Empty(await other.ClaimAsync(more: ("tasks", new JsonArray("nobodys_task"))));
    }

    [Fact]
    [Requirement("Q3")]
    public async Task A_claim_waits_for_something_to_do_as_long_as_it_says()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        Assert.Empty(await worker.ClaimAsync(wait: 0));

        var started = Stopwatch.GetTimestamp();
        Assert.Empty(await worker.ClaimAsync(wait: 1));
        Assert.True(Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(0.9), "It did not wait.");

        var waiting = worker.ClaimAsync(wait: 60);
        var submitted = await user.SubmitAsync(ConformanceWorkers.Type);
        var lease = Assert.Single(await waiting);
        Assert.Equal((string?)submitted["id"], (string?)lease["id"]);
    }

    [Fact]
    [Requirement("Q4")]
    public async Task A_user_with_much_to_do_leaves_slots_to_others()
    {
        await using var users = new ManyUsers(await _workers.Users.UsersAsync(2));
        await using var worker = await _workers.StartAsync();
        for (var i = 0; i < 12; i++)
        {
            await users[0].SubmitAsync(ConformanceWorkers.Type);
        }

        // Three quarters of eight, though nobody else wants them now.
        var first = await worker.ClaimAsync(free: 8, wait: 30);
        Assert.Equal(6, first.Length);
        await users[1].SubmitAsync(ConformanceWorkers.Type);

        var held = new JsonArray([.. first.Select(lease => new JsonObject { ["id"] = (string)lease["id"]!, ["attempt"] = (int)lease["attempt"]! })]);
        var second = await worker.ClaimAsync(free: 2, wait: 30, more: ("generations", held));
        Assert.Equal(users[1].UserId, (string?)Assert.Single(second)["userId"]);

        // One slot is always allowed.
        await using var small = await _workers.StartAsync();
        Assert.Single(await small.ClaimAsync(free: 1, wait: 30));
    }

    [Fact]
    [Requirement("Q5", "H1")]
    public async Task A_lease_that_ends_is_a_failure_and_one_that_is_extended_does_not_end()
    {
        await using var users = new ManyUsers(await _workers.Users.UsersAsync(2));
        await using var worker = await _workers.StartAsync();
        await using var other = await _workers.StartAsync();
        foreach (var _ in Enumerable.Range(0, 2))
        {
            await users[0].SubmitAsync(ConformanceWorkers.Type);
            await users[1].SubmitAsync(ConformanceWorkers.Type);
        }

        var leases = await worker.ClaimAsync(free: 4, wait: 30, lease: 5);
        Assert.Equal(4, leases.Length);
        var kept = leases[0];
        var canceled = leases[1];
        using var cancel = await users.Of(canceled).CancelAsync((string)canceled["id"]!);
        Assert.Equal(HttpStatusCode.Accepted, cancel.StatusCode);
        var beat = await worker.HeartbeatAsync([kept], lease: 120);
        Assert.InRange(Time(beat["leaseExpiresAt"]), DateTimeOffset.UtcNow.AddSeconds(90), DateTimeOffset.UtcNow.AddSeconds(150));

        var again = new List<JsonNode>();
        while (again.Count < 2)
        {
            again.AddRange(await other.ClaimAsync(wait: 30));
        }

        Assert.Equal(
            leases[2..].Select(lease => ((string)lease["id"]!, 2, 1)).Order(),
            again.Select(lease => ((string)lease["id"]!, (int)lease["attempt"]!, (int)lease["failures"]!)).Order());
        await users.Of(canceled).ReadAsync(0, update => (string?)update["generationId"] == (string?)canceled["id"] && (string?)update["status"] == "canceled");
        Assert.Empty((await worker.HeartbeatAsync([kept]))["lost"]!.AsArray());
        using var stale = await worker.CallAsync("release", leases[2]);
        await stale.ProblemAsync(HttpStatusCode.Conflict, "stale_attempt");
    }

    public static TheoryData<string, string> Invalid => new()
    {
        { "workerId", "null" }, { "workerId", "\"\"" }, { "workerId", "\"a/b\"" }, { "workerId", "7" }, { "workerId", $"\"{new string('w', 101)}\"" },
        { "tasks", "null" }, { "tasks", "[]" }, { "tasks", "[\"Sora\"]" }, { "tasks", "[null]" }, { "tasks", "\"sora\"" }, { "tasks", "[\"sora\",\"sora\"]" }, { "tasks", "[\"not_registered\"]" },
        { "free", "null" }, { "free", "0" }, { "free", "101" }, { "free", "\"1\"" }, { "free", "1.5" },
        { "freeOf", "{\"another\":1}" }, { "freeOf", "{\"sora\":-1}" }, { "freeOf", "{\"sora\":0}" }, { "freeOf", "[]" },
        { "generations", "[{}]" }, { "generations", "[null]" }, { "generations", "[{\"id\":\"gen-1\",\"attempt\":0}]" }, { "generations", "{}" },
        { "leaseSeconds", "4" }, { "leaseSeconds", "601" }, { "waitSeconds", "-1" }, { "waitSeconds", "61" },
    };

    [Theory]
    [MemberData(nameof(Invalid))]
    [Requirement("Q7")]
    public async Task An_invalid_value_is_named_and_nothing_is_claimed(string member, string value)
    {
        await using var worker = await _workers.StartAsync();
        var body = worker.ClaimBody();
        body["tasks"] = new JsonArray("sora");
        body[member] = JsonNode.Parse(value);
        using var response = await worker.PostAsync("claim", body);
        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        var error = Assert.Single(problem["errors"]!.AsObject());
        Assert.StartsWith(member, error.Key, StringComparison.Ordinal);
        Assert.NotEmpty((string)error.Value![0]!);
    }

    private static DateTimeOffset Time(JsonNode? time) => DateTimeOffset.Parse((string)time!, CultureInfo.InvariantCulture);
}
