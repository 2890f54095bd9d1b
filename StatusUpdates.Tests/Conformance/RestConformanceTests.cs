using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapters "REST" and "Errors and retries".</summary>
public sealed class RestConformanceTests(RunningSystem system)
{
    private readonly ConformanceTarget _target = new(system);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    [Requirement("R1")]
    public async Task An_answered_submission_is_in_the_log()
    {
        await using var user = await _target.UserAsync();
        var head = await user.HeadAsync();
        using var response = await user.Http.PostAsync(ConformanceUser.Generations, Answers.Json("""{"type":"chat","prompt":"p"}"""), Token);
        var generation = await response.DataAsync(HttpStatusCode.Accepted);
        Assert.Equal($"{ConformanceUser.Generations}/{(string)generation["id"]!}", response.Headers.Location?.ToString());
        var update = (await user.PollAsync($"?since={head}&timeout=0"))["items"]![0]!;
        Assert.Equal(
            ((string?)generation["id"], (long)generation["seq"]!, "pending"),
            ((string?)update["generationId"], ConformanceTransport.Seq(update), (string?)update["status"]));
        using var canceled = await user.CancelAsync((string)generation["id"]!);
    }

    [Fact]
    [Requirement("R10")]
    public async Task What_is_listed_can_be_submitted_and_nothing_else()
    {
        await using var user = await _target.UserAsync();
        using var response = await user.Http.GetAsync("/api/v1/types", Token);
        var types = (await response.DataAsync())["items"]!.AsArray();
        Assert.NotNull(response.Headers.ETag);
        foreach (var type in types)
        {
            var tasks = type!["tasks"]!.AsArray();
            Assert.NotEmpty((string?)type["title"] ?? "");
            Assert.Contains((string?)type["defaultTask"], tasks.Select(task => (string?)task!["name"]));
        }

        var names = types.Select(type => (string)type!["name"]!).ToArray();
        using var known = await user.Http.PostAsync(ConformanceUser.Generations, Answers.Json("""{"type":"chat","task":"image_generation","prompt":"p"}"""), Token);
        var generation = await known.DataAsync(HttpStatusCode.Accepted);
        Assert.Equal(("chat", "image_generation"), ((string?)generation["type"], (string?)generation["task"]));
        using var canceled = await user.CancelAsync((string)generation["id"]!);

        foreach (var (member, body) in new[] { ("type", """{"type":"never_registered","prompt":"p"}"""), ("task", """{"type":"chat","task":"sora","prompt":"p"}""") })
        {
            using var unknown = await user.Http.PostAsync(ConformanceUser.Generations, Answers.Json(body), Token);
            var problem = await unknown.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
            var allowed = member == "type" ? names : types.Single(type => (string?)type!["name"] == "chat")!["tasks"]!.AsArray().Select(task => (string)task!["name"]!);
            Assert.All(allowed, name => Assert.Contains(name, (string?)problem["errors"]![member]![0], StringComparison.Ordinal));
        }
    }

    [Fact]
    [Requirement("R2")]
    public async Task The_same_key_returns_the_same_generation_and_is_refused_for_another_request()
    {
        await using var user = await _target.UserAsync();
        var key = $"key {Guid.NewGuid()}";
        var head = await user.HeadAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => SubmitAsync(user, key, "p")));
        var ids = new HashSet<string>();
        foreach (var answer in answers)
        {
            ids.Add((string)(await answer.DataAsync(HttpStatusCode.Accepted))["id"]!);
            answer.Dispose();
        }

        var id = Assert.Single(ids);
        using var other = await SubmitAsync(user, key, "q");
        await other.ProblemAsync(HttpStatusCode.UnprocessableEntity, "idempotency_key_reused");
        var updates = await user.ReadAsync(head, ConformanceUser.IsTerminal);
        Assert.All(updates, update => Assert.Equal(id, (string?)update["generationId"]));
        Assert.Single(updates, update => (string?)update["status"] == "pending");
    }

    [Fact]
    [Requirement("R3", "R4")]
    public async Task The_state_the_history_and_the_log_agree()
    {
        await using var user = await _target.UserAsync();
        var (_, updates, ids) = await user.RunAsync(2);
        foreach (var id in ids)
        {
            var own = updates.Where(update => (string?)update["generationId"] == id).ToArray();
            var state = await user.GetAsync(id);
            Assert.Equal(
                (ConformanceTransport.Seq(own[^1]), (string?)own[^1]["status"], user.UserId),
                ((long)state["seq"]!, (string?)state["status"], (string?)state["userId"]));
            Assert.True(JsonNode.DeepEquals(own[^1]["metadata"]?["resultUrls"], state["resultUrls"]));

            List<JsonNode> paged = [];
            while (paged.Count < own.Length)
            {
                var page = await user.HistoryAsync(id, $"?limit=2&since={(paged.Count == 0 ? 0 : ConformanceTransport.Seq(paged[^1]))}");
                Assert.True((bool)page["complete"]!);
                Assert.InRange(page["items"]!.AsArray().Count, 1, 2);
                paged.AddRange(page["items"]!.AsArray().Select(item => item!));
            }

            ConformanceTransport.AssertSame(own, paged);
        }
    }

    [Fact]
    [Requirement("R8")]
    public async Task A_generation_ends_by_its_deadline_and_an_invalid_deadline_is_refused()
    {
        await using var user = await _target.UserAsync();
        static string Body(string deadline) => $$"""{"type":"sora","prompt":"conformance","deadline":"{{deadline}}"}""";
        foreach (var wrong in new[] { DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddDays(31) }.Select(t => t.ToString("O")).Append("2099-01-01T00:00:00"))
        {
            using var refused = await user.Http.PostAsync(ConformanceUser.Generations, Answers.Json(Body(wrong)), Token);
            Assert.NotNull((await refused.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request"))["errors"]!["deadline"]);
        }

        var deadline = DateTimeOffset.UtcNow.AddSeconds(1);
        using var response = await user.Http.PostAsync(ConformanceUser.Generations, Answers.Json(Body(deadline.ToString("O"))), Token);
        var generation = await response.DataAsync(HttpStatusCode.Accepted);
        Assert.Equal(deadline, DateTimeOffset.Parse((string)generation["deadline"]!, CultureInfo.InvariantCulture), TimeSpan.FromMilliseconds(1));

        var updates = await user.ReadAsync((long)generation["seq"]! - 1, ConformanceUser.IsTerminal);

        // A worker may finish before the deadline.
        var end = updates[^1];
        if ((string?)end["status"] != "completed")
        {
            Assert.Equal("failed", (string?)end["status"]);
            Assert.NotEmpty((string)end["metadata"]!["errorMessage"]!);
            Assert.True((long)end["timestamp"]! >= deadline.ToUnixTimeMilliseconds() - 1000, "Failed before its deadline, by more than a clock difference.");
        }
    }

    [Fact]
    [Requirement("R5")]
    public async Task A_canceled_generation_has_one_canceled_update_however_often_it_is_canceled()
    {
        await using var user = await _target.UserAsync();
        for (var i = 0; i < 5; i++)
        {
            var submitted = await user.SubmitAsync();
            var id = (string)submitted["id"]!;
            var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => user.CancelAsync(id)));

            // A worker may be faster: then the answer is that it is asked to stop, or that the generation has finished.
            Assert.All(answers, answer => Assert.True(
                answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.Accepted or HttpStatusCode.Conflict, $"{answer.StatusCode}"));
            Assert.All(answers, answer => answer.Dispose());
            var updates = await user.ReadAsync(
                (long)submitted["seq"]! - 1, update => (string?)update["generationId"] == id && ConformanceUser.IsTerminal(update));
            using var late = await user.CancelAsync(id);
            if ((string?)updates[^1]["status"] == "canceled")
            {
                Assert.Equal("canceled", (string?)(await late.DataAsync())["status"]);
            }
            else
            {
                await late.ProblemAsync(HttpStatusCode.Conflict, "generation_terminal");
            }

            Assert.Equal(ConformanceTransport.Seq(updates[^1]), (long)(await user.GetAsync(id))["seq"]!);
        }
    }

    [Fact]
    [Requirement("R6")]
    public async Task Pages_contain_every_generation_once_even_while_others_are_submitted()
    {
        await using var user = await _target.UserAsync();
        var ids = new List<string>();
        for (var i = 0; i < 7; i++)
        {
            ids.Add((string)(await user.SubmitAsync())["id"]!);
        }

        ids.Reverse();
        var seen = new List<string>();
        string? next = $"{ConformanceUser.Generations}?limit=3";
        while (next is not null)
        {
            using var response = await user.Http.GetAsync(next, Token);
            var page = await response.DataAsync();
            seen.AddRange(page["items"]!.AsArray().Select(item => (string)item!["id"]!));
            Assert.Equal(page["nextCursor"] is not null, response.Headers.Contains("Link"));
            next = page["nextCursor"] is { } cursor ? $"{ConformanceUser.Generations}?limit=3&cursor={Uri.EscapeDataString((string)cursor!)}" : null;
            await user.SubmitAsync();
        }

        Assert.Distinct(seen);
        Assert.Equal(ids, seen.Where(ids.Contains));
    }

    [Fact]
    [Requirement("R7")]
    public async Task The_total_counts_all_matches_whatever_the_page()
    {
        await using var user = await _target.UserAsync();
        foreach (var type in new[] { "chat", "sora", "chat", "product_card", "chat" })
        {
            await user.SubmitAsync(type);
        }

        foreach (var (query, total) in new[]
        {
            ("limit=2", 5), ("limit=2&offset=4", 5), ("limit=1&type=chat", 3), ("limit=100&type=sora", 1), ("startDate=2020-01-01", 5), ("endDate=2020-01-01", 0),
        })
        {
            using var response = await user.Http.GetAsync($"{ConformanceUser.Generations}?{query}", Token);
            Assert.Equal((query, total), (query, (int)(await response.DataAsync())["total"]!));
        }
    }

    [Fact]
    [Requirement("E1", "E2")]
    public async Task A_failure_is_a_problem_with_a_code_and_names_the_invalid_fields()
    {
        await using var user = await _target.UserAsync();
        using var list = await user.Http.GetAsync($"{ConformanceUser.Generations}?limit=0&status=done", Token);
        var problem = await list.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(["limit", "status"], problem["errors"]!.AsObject().Select(error => error.Key).Order(StringComparer.Ordinal));
        Assert.All(problem["errors"]!.AsObject(), error => Assert.NotEmpty(error.Value!.AsArray()));

        using var submit = await user.Http.PostAsync(ConformanceUser.Generations, Answers.Json("""{"type":"poem","prompt":""}"""), Token);
        Assert.NotEmpty((await submit.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request"))["errors"]!.AsObject());
        using var missing = await user.Http.GetAsync("/api/v1/nothing", Token);
        await missing.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        using var method = await user.Http.DeleteAsync(ConformanceUser.Tickets, Token);
        await method.ProblemAsync(HttpStatusCode.MethodNotAllowed, "method_not_allowed");
    }

    [Fact]
    [Requirement("E4")]
    public async Task Answers_state_how_many_requests_are_left()
    {
        await using var user = await _target.UserAsync();
        using var response = await user.Http.GetAsync(ConformanceUser.Generations, Token);
        await response.DataAsync();
        Assert.Contains(response.Headers.GetValues("RateLimit"), value => value.Contains("r=", StringComparison.Ordinal));
        Assert.Contains(response.Headers.GetValues("RateLimit-Policy"), value => value.Contains("q=", StringComparison.Ordinal));
    }

    private static async Task<HttpResponseMessage> SubmitAsync(ConformanceUser user, string key, string prompt)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, ConformanceUser.Generations)
        {
            Content = Answers.Json($$"""{"type":"chat","prompt":"{{prompt}}"}"""),
        };
        request.Headers.Add("Idempotency-Key", key);
        return await user.Http.SendAsync(request, Token);
    }
}
