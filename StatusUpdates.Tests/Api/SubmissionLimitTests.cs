using System.Net;

namespace StatusUpdates.Tests.Api;

/// <summary>The limits on one user's use of shared resources, as responses report them.</summary>
public sealed class SubmissionLimitTests(TestServers servers)
{
    private const string Path = "/api/v1/generations";
    private const string Card = """{"type":"product_card","prompt":"p"}""";

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Too_many_pending_generations_are_refused_with_the_limit_and_advice_until_one_ends()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["Submissions:MaxPending"] = "2" });
        var client = api.As("u");
        using var first = await client.PostAsync(Path, Answers.Json(Card), Token);
        var id = (string?)(await first.DataAsync(HttpStatusCode.Accepted))["id"];
        using var second = await client.PostAsync(Path, Answers.Json(Card), Token);
        await second.DataAsync(HttpStatusCode.Accepted);

        using var third = await client.PostAsync(Path, Answers.Json(Card), Token);
        var problem = await third.ProblemAsync(HttpStatusCode.TooManyRequests, "pending_limit");
        Assert.Equal("A user may have 2 pending generations at once. Submit again when some have ended, or cancel some.", (string?)problem["detail"]);
        Assert.NotNull(third.Headers.RetryAfter);
        using var others = await api.As("other").PostAsync(Path, Answers.Json(Card), Token);
        await others.DataAsync(HttpStatusCode.Accepted);

        using var canceled = await client.PostAsync($"{Path}/{id}/cancel", null, Token);
        await canceled.DataAsync();
        using var again = await client.PostAsync(Path, Answers.Json(Card), Token);
        await again.DataAsync(HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task Too_many_stored_generations_are_refused_with_the_limit_and_advice()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["Submissions:MaxStored"] = "1" });
        using var first = await api.As("u").PostAsync(Path, Answers.Json(Card), Token);
        await first.DataAsync(HttpStatusCode.Accepted);

        using var second = await api.As("u").PostAsync(Path, Answers.Json(Card), Token);

        var problem = await second.ProblemAsync(HttpStatusCode.Forbidden, "stored_limit");
        Assert.StartsWith("A user may have 1 generations stored.", (string?)problem["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Submissions_have_their_own_rate_limit_and_other_requests_continue()
    {
        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["RateLimits:Submissions:PermitsPerSecond"] = "1", ["RateLimits:Submissions:Burst"] = "2" });
        var client = api.As("u");

        // One permit is added per second. Requests sent all at once are too fast for each to get one.
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => client.PostAsync(Path, Answers.Json(Card), Token)));
        Assert.Contains(answers, answer => answer.StatusCode == HttpStatusCode.Accepted);
        var refused = answers.First(answer => answer.StatusCode == HttpStatusCode.TooManyRequests);
        var problem = await refused.ProblemAsync(HttpStatusCode.TooManyRequests, "rate_limited");
        Assert.StartsWith("Too many submissions of this user;", (string?)problem["detail"], StringComparison.Ordinal);
        Assert.Equal("\"submissions\";q=2;w=2", refused.Headers.GetValues("RateLimit-Policy").Last());
        Assert.NotNull(refused.Headers.RetryAfter);

        using var list = await client.GetAsync(Path, Token);
        await list.DataAsync();
    }
}
