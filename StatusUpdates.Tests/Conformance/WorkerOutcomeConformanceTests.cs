using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapters "Progress", "Results", "Outcomes" and "Errors" of the worker protocol.</summary>
[Collection(WorkerProtocolCollection.Name)]
public sealed class WorkerOutcomeConformanceTests(TestServers servers, SharedApi shared)
{
    private readonly ConformanceWorkers _workers = new(servers, shared);

    private static CancellationToken Token => TestTime.Token;

    private static (string, JsonNode?) Results => ("resultUrls", new JsonArray("https://results.example.com/1"));

    [Fact]
    [Requirement("U1", "U2")]
    public async Task Progress_and_results_reach_the_user()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await user.SubmitAsync(ConformanceWorkers.Type);
        var lease = await worker.ClaimOneAsync();
        var progress = await worker.EndAsync("update", lease, ("progress", 40));
        Assert.Equal("processing", (string?)progress["status"]);
        var done = await worker.EndAsync("complete", lease, ("resultUrls", new JsonArray("https://results.example.com/1", "http://example.com/ä")), ("tokensUsed", 12));
        Assert.Equal("completed", (string?)done["status"]);

        var updates = await user.ReadAsync((long)progress["seq"]! - 1, ConformanceUser.IsTerminal);
        Assert.Equal([(long)progress["seq"]!, (long)done["seq"]!], updates.Select(ConformanceTransport.Seq));
        Assert.Equal((40, 1), ((int)updates[0]["metadata"]!["progress"]!, (int)updates[0]["metadata"]!["attempt"]!));
        var metadata = updates[1]["metadata"]!;
        Assert.Equal(["https://results.example.com/1", "http://example.com/%C3%A4"], metadata["resultUrls"]!.AsArray().Select(url => (string?)url));
        Assert.Equal((12, 100), ((int)metadata["tokensUsed"]!, (int)metadata["progress"]!));
    }

    [Fact]
    [Requirement("U3")]
    public async Task Nothing_is_completed_after_its_deadline()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        var lease = await ClaimWithDeadlineAsync(user, worker, TimeSpan.FromSeconds(4));
        await OverdueAsync(worker, lease);
        using var late = await worker.CallAsync("complete", lease, Results);
        await late.ProblemAsync(HttpStatusCode.Conflict, "deadline_passed");
        var state = await user.GetAsync((string)lease["id"]!);
        Assert.Equal("failed", (string?)state["status"]);
        Assert.NotEmpty((string)state["errorMessage"]!);
    }

    [Fact]
    [Requirement("U4", "U9")]
    public async Task A_failure_ends_the_generation_with_its_message()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        foreach (var (message, expected) in new[]
        {
            ("No such model.", "No such model."), ("a\0b", "a\uFFFDb"), (new string('x', 3000), new string('x', 2000)),
        })
        {
            await user.SubmitAsync(ConformanceWorkers.Type);
            var lease = await worker.ClaimOneAsync();
            Assert.Equal("failed", (string?)(await worker.EndAsync("fail", lease, ("message", message)))["status"]);
            var state = await user.GetAsync((string)lease["id"]!);
            Assert.Equal(("failed", expected), ((string?)state["status"], (string?)state["errorMessage"]));
        }
    }

    [Fact]
    [Requirement("U5")]
    public async Task A_retryable_failure_is_retried_after_a_back_off_until_the_last_one()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await user.SubmitAsync(ConformanceWorkers.Type);
        for (var failures = 0; ; failures++)
        {
            var lease = await worker.ClaimOneAsync();
            Assert.Equal((failures + 1, failures), ((int)lease["attempt"]!, (int)lease["failures"]!));
            var now = DateTimeOffset.UtcNow;
            var outcome = await worker.EndAsync("fail", lease, ("message", "Busy."), ("retryable", true), ("retryAfterSeconds", failures == 0 ? 1 : 0));
            var update = (await user.ReadAsync((long)outcome["seq"]! - 1, _ => true))[0];
            Assert.Equal(((string?)outcome["status"], "Busy."), ((string?)update["status"], (string?)update["metadata"]!["errorMessage"]));
            if ((string?)outcome["status"] == "failed")
            {
                Assert.InRange(failures, 1, 99);
                break;
            }

            Assert.Equal("pending", (string?)outcome["status"]);
            var retryAt = DateTimeOffset.Parse((string)outcome["retryAt"]!, CultureInfo.InvariantCulture);
            Assert.Equal(retryAt.ToUnixTimeMilliseconds(), (long)update["metadata"]!["retryAt"]!);
            Assert.True(failures > 0 || retryAt > now + TimeSpan.FromSeconds(0.5), "It does not wait as long as it was asked to.");
        }

        // A next attempt that could begin only after the deadline.
        var overdue = await ClaimWithDeadlineAsync(user, worker, TimeSpan.FromSeconds(60));
        Assert.Equal("failed", (string?)(await worker.EndAsync("fail", overdue, ("retryable", true), ("retryAfterSeconds", 61)))["status"]);
    }

    [Fact]
    [Requirement("U6")]
    public async Task A_release_counts_no_failure_unless_the_time_was_over()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await user.SubmitAsync(ConformanceWorkers.Type);
        var lease = await worker.ClaimOneAsync();
        Assert.Equal("pending", (string?)(await worker.EndAsync("release", lease))["status"]);
        var second = await worker.ClaimOneAsync();
        Assert.Equal((2, 0), ((int)second["attempt"]!, (int)second["failures"]!));
        var delayed = await worker.EndAsync("release", second, ("retryAfterSeconds", 600));
        Assert.Equal("pending", (string?)delayed["status"]);
        Assert.InRange(
            DateTimeOffset.Parse((string)delayed["retryAt"]!, CultureInfo.InvariantCulture), DateTimeOffset.UtcNow.AddSeconds(500), DateTimeOffset.UtcNow.AddSeconds(700));
        Assert.Empty(await worker.ClaimAsync());

        var overdue = await ClaimWithDeadlineAsync(user, worker, TimeSpan.FromSeconds(4));
        await OverdueAsync(worker, overdue);
        Assert.Equal("failed", (string?)(await worker.EndAsync("release", overdue))["status"]);
    }

    [Fact]
    [Requirement("U7")]
    public async Task What_its_user_cancels_does_not_return_to_the_queue()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        foreach (var (call, status) in new[] { ("release", "canceled"), ("fail", "canceled"), ("complete", "completed") })
        {
            await user.SubmitAsync(ConformanceWorkers.Type);
            var lease = await worker.ClaimOneAsync();
            using var cancel = await user.CancelAsync((string)lease["id"]!);
            Assert.Equal(HttpStatusCode.Accepted, cancel.StatusCode);
            Assert.Equal(status, (string?)(await worker.EndAsync(call, lease, ("retryable", true), Results))["status"]);
        }

        Assert.Empty(await worker.ClaimAsync());
    }

    [Fact]
    [Requirement("U8")]
    public async Task A_repeated_call_has_the_outcome_of_the_first_whatever_has_happened_since()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await user.SubmitAsync(ConformanceWorkers.Type);
        (string, JsonNode?) same = ("updateId", Guid.CreateVersion7().ToString());
        (string, JsonNode?) retryable = ("retryable", true);

        var first = await worker.ClaimOneAsync();
        var progress = await worker.EndAsync("update", first, ("progress", 10), same);
        var failed = await worker.EndAsync("fail", first, retryable, same);
        var second = await worker.ClaimOneAsync();
        Assert.True(JsonNode.DeepEquals(progress, await worker.EndAsync("update", first, ("progress", 10), same)));
        Assert.True(JsonNode.DeepEquals(failed, await worker.EndAsync("fail", first, retryable, same)));

        // Of another attempt, or another call, it is another id.
        var released = await worker.EndAsync("release", second, same);
        var third = await worker.ClaimOneAsync();
        Assert.Equal(3, (int)third["attempt"]!);
        (string, JsonNode?) ofVersionFour = ("updateId", Guid.NewGuid().ToString());
        var completed = await worker.EndAsync("complete", third, Results, ofVersionFour);
        Assert.True(JsonNode.DeepEquals(completed, await worker.EndAsync("complete", third, Results, ofVersionFour)));
        Assert.True(JsonNode.DeepEquals(released, await worker.EndAsync("release", second, same)));
        using var without = await worker.CallAsync("complete", third, Results);
        await without.ProblemAsync(HttpStatusCode.Conflict, "generation_terminal");

        var state = await user.GetAsync((string)third["id"]!);
        Assert.Equal(("completed", (long)completed["seq"]!), ((string?)state["status"], (long)state["seq"]!));
    }

    [Fact]
    [Requirement("D1", "D3")]
    public async Task An_uploaded_result_is_served_with_its_media_type()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await user.SubmitAsync(ConformanceWorkers.Type);
        var lease = await worker.ClaimOneAsync();
        using var uploaded = await worker.UploadAsync(lease, Video([1, 2, 3, 0, 255]));
        var url = (string)(await uploaded.DataAsync(HttpStatusCode.Created))["url"]!;
        await worker.EndAsync("complete", lease, ("resultUrls", new JsonArray(url)));
        Assert.Equal(url, (string?)Assert.Single((await user.GetAsync((string)lease["id"]!))["resultUrls"]!.AsArray()));

        // The server's address may be another one from here.
        using var served = await user.Http.GetAsync(new Uri(url).AbsolutePath, Token);
        Assert.Equal(HttpStatusCode.OK, served.StatusCode);
        Assert.Equal("video/mp4", served.Content.Headers.ContentType?.MediaType);
        Assert.Equal([1, 2, 3, 0, 255], await served.Content.ReadAsByteArrayAsync(Token));
    }

    [Fact]
    [Requirement("D2")]
    public async Task An_upload_that_is_not_allowed_is_refused()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await user.SubmitAsync(ConformanceWorkers.Type);
        var lease = await worker.ClaimOneAsync();

        using var untyped = await worker.UploadAsync(lease, new ByteArrayContent([1]));
        Assert.Equal(["Content-Type"], await ErrorsAsync(untyped));
        using var empty = await worker.UploadAsync(lease, Video([]));
        Assert.Equal(["body"], await ErrorsAsync(empty));
        using var without = await worker.Http.PostAsync($"{ConformanceWorker.Path}/generations/{(string)lease["id"]!}/results", new StringContent("text"), Token);
        Assert.Equal(["attempt", "workerId"], (await ErrorsAsync(without)).Order());

        await worker.CompleteAsync(lease);
        using var ended = await worker.UploadAsync(lease, Video([1]));
        await ended.ProblemAsync(HttpStatusCode.Conflict, "generation_terminal");
    }

    [Fact]
    [Requirement("F1")]
    public async Task A_call_that_is_not_the_holders_changes_nothing()
    {
        await using var user = await _workers.Users.UserAsync();
        await using var worker = await _workers.StartAsync();
        await using var other = await _workers.StartAsync();
        await user.SubmitAsync(ConformanceWorkers.Type);
        var lease = await worker.ClaimOneAsync();
        var unknown = JsonNode.Parse("""{"id":"gen-unknown","attempt":1}""")!;
        var before = await user.GetAsync((string)lease["id"]!);
        foreach (var call in new[] { "update", "complete", "fail", "release" })
        {
            using var missing = await worker.CallAsync(call, unknown, ("progress", 1), Results);
            await missing.ProblemAsync(HttpStatusCode.NotFound, "not_found");
            using var stale = await worker.CallAsync(call, JsonNode.Parse($$"""{"id":"{{(string)lease["id"]!}}","attempt":2}""")!, ("progress", 1), Results);
            await stale.ProblemAsync(HttpStatusCode.Conflict, "stale_attempt");
            using var foreign = await other.CallAsync(call, lease, ("progress", 1), Results);
            await foreign.ProblemAsync(HttpStatusCode.Conflict, "stale_attempt");
        }

        Assert.True(JsonNode.DeepEquals(before, await user.GetAsync((string)lease["id"]!)));
        await worker.CompleteAsync(lease);
        foreach (var call in new[] { "update", "complete", "fail", "release" })
        {
            using var ended = await worker.CallAsync(call, lease, ("progress", 1), Results);
            await ended.ProblemAsync(HttpStatusCode.Conflict, "generation_terminal");
        }
    }

    public static TheoryData<string, string, string> Invalid => new()
    {
        { "update", "workerId", "null" }, { "update", "attempt", "0" }, { "update", "attempt", "null" }, { "update", "attempt", "\"1\"" },
        { "update", "progress", "101" }, { "update", "progress", "null" }, { "update", "updateId", "\"7\"" },
        { "update", "updateId", "\"00000000-0000-0000-0000-000000000000\"" },
        { "complete", "resultUrls", "null" }, { "complete", "resultUrls", "[]" }, { "complete", "resultUrls", "[null]" },
        { "complete", "resultUrls", "[\"/results/1\"]" }, { "complete", "resultUrls", "[\"ftp://example.com/\"]" }, { "complete", "resultUrls", "[\"https://name:secret@example.com/\"]" },
        { "complete", "resultUrls", $"[\"https://example.com/{new string('x', 2048)}\"]" }, { "complete", "tokensUsed", "-1" },
        { "complete", "resultUrls", $"[{string.Join(',', Enumerable.Repeat("\"https://example.com/\"", 17))}]" },
        { "fail", "retryAfterSeconds", "-1" }, { "fail", "retryAfterSeconds", "86401" }, { "fail", "retryable", "\"yes\"" }, { "fail", "message", "7" },
        { "release", "retryAfterSeconds", "3601" }, { "release", "workerId", "\"a b\"" },
    };

    [Theory]
    [MemberData(nameof(Invalid))]
    [Requirement("F2")]
    public async Task An_invalid_value_of_a_call_is_named(string call, string member, string value)
    {
        await using var worker = await _workers.StartAsync();
        var body = worker.Body(("attempt", 1), ("progress", 1), Results);
        body[member] = JsonNode.Parse(value);
        using var response = await worker.PostAsync($"generations/gen-unknown/{call}", body);
        Assert.Equal([member], await ErrorsAsync(response));
    }

    private static ByteArrayContent Video(byte[] bytes) => new(bytes) { Headers = { ContentType = new MediaTypeHeaderValue("video/mp4") } };

    private static async Task<string[]> ErrorsAsync(HttpResponseMessage response) =>
        [.. (await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request"))["errors"]!.AsObject().Select(error => error.Key)];

    private static async Task<JsonNode> ClaimWithDeadlineAsync(ConformanceUser user, ConformanceWorker worker, TimeSpan ahead)
    {
        var body = $$"""{"type":"{{ConformanceWorkers.Type}}","prompt":"p","deadline":"{{DateTimeOffset.UtcNow + ahead:O}}"}""";
        using var submitted = await user.Http.PostAsync(ConformanceUser.Generations, Answers.Json(body), Token);
        await submitted.DataAsync(HttpStatusCode.Accepted);
        return await worker.ClaimOneAsync();
    }

    private static Task OverdueAsync(ConformanceWorker worker, JsonNode lease) =>
        Eventually.TrueAsync(async () => (await worker.HeartbeatAsync([lease]))["stop"]!.AsArray().Count > 0, everyMilliseconds: 100);
}
