using System.Net;
using System.Text.Json.Nodes;
using StackExchange.Redis;

namespace StatusUpdates.Tests.Api;

public sealed class HealthTests(TestServers servers)
{
    // So long that only the time limit of a check can end it.
    private static readonly TimeSpan ClientTimeout = TimeSpan.FromMinutes(5);

    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData("Development", true)]
    [InlineData("Production", false)]
    public async Task Details_are_shown_only_in_Development(string environment, bool detailed)
    {
        await using var api = await TestApi.StartAsync(servers, environment: environment);
        var (status, body) = await GetAsync(api, "/health");
        Assert.Equal((HttpStatusCode.OK, "healthy"), (status, (string?)body["status"]));
        Assert.Equal(detailed ? ["status", "checks"] : new[] { "status" }, body.Select(member => member.Key));
        if (detailed)
        {
            Assert.Equal(
                ["PostgreSQL", "Redis messages", "StackExchange.Redis", "file descriptors", "self"],
                body["checks"]!.AsObject().Select(member => member.Key).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task While_Redis_is_away_the_service_is_degraded_and_still_serves()
    {
        await using var redis = await LinkToRedisAsync();
        await using var api = await TestApi.StartAsync(servers, redis.Settings);
        Assert.Equal("healthy", (string?)(await GetAsync(api, "/health")).Body["status"]);

        await redis.Link.StopAsync();
        var (status, body) = await PollAsync(api, "degraded");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("degraded", (string?)body["checks"]!["StackExchange.Redis"]!["status"]);

        // Once the client knows that it is disconnected, Redis is not pinged: a probe waits a second, and a ping would take that long.
        while (ReasonOf(body, "StackExchange.Redis") != "Not connected.")
        {
            (status, body) = await PollAsync(api, "degraded");
            Assert.Equal(HttpStatusCode.OK, status);
        }

        Assert.Equal(HttpStatusCode.OK, (await GetAsync(api, "/alive")).Status);

        using var response = await api.As("u").PostAsync(
            "/api/v1/generations", Answers.Json("""{"type":"chat","prompt":"p"}"""), Token);
        await response.DataAsync(HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task A_Redis_that_hangs_degrades_health_within_the_time_limit()
    {
        await using var redis = await LinkToRedisAsync();
        await using var api = await TestApi.StartAsync(servers, redis.Settings);
        Assert.Equal("healthy", (string?)(await GetAsync(api, "/health")).Body["status"]);

        redis.Link.FreezeForGood();
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => GetAsync(api, "/health")));
        Assert.All(answers, answer =>
        {
            Assert.Equal((HttpStatusCode.OK, "degraded"), (answer.Status, (string?)answer.Body["status"]));
            Assert.Equal("No answer within 1 s.", ReasonOf(answer.Body, "StackExchange.Redis"));
        });

        // Otherwise, stopping the API waits for the client's timeout.
        await redis.Link.StopAsync();
    }

    [Fact]
    public async Task The_API_serves_even_if_Redis_is_away_at_startup()
    {
        await using var redis = await LinkToRedisAsync();
        await redis.Link.StopAsync();
        await using var api = await TestApi.StartAsync(servers, redis.Settings);
        Assert.Equal((HttpStatusCode.OK, "degraded"), await StateAsync(api));
    }

    [Fact]
    public async Task While_Postgres_is_away_health_fails_requests_get_503_and_the_process_is_alive()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var link = TcpProxy.ToDatabase(database.ConnectionString, out var proxied);
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?>
        {
            ["ConnectionStrings:statusdb"] = proxied,
            ["Requests:Timeout"] = "00:00:02",
        });
        Assert.Equal((HttpStatusCode.OK, "healthy"), await StateAsync(api));

        await link.StopAsync();
        var (status, body) = await GetAsync(api, "/health");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "unhealthy"), (status, (string?)body["status"]));

        // The check failed at the first attempt with a reason, instead of retrying until its time limit.
        Assert.Equal("The database does not answer.", (string?)body["checks"]!["PostgreSQL"]!["description"]);
        Assert.NotNull((string?)body["checks"]!["PostgreSQL"]!["error"]);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(api, "/alive")).Status);

        var client = api.As("u");
        foreach (var (method, path) in new[]
                 {
                     ("GET", "/api/v1/generations"),
                     ("GET", "/api/v1/generations/gen-1"),
                     ("GET", "/api/v1/generations/gen-1/history"),
                     ("POST", "/api/v1/generations/gen-1/cancel"),
                     ("POST", "/api/v1/generations"),
                     ("GET", $"/results/{new string('0', 32)}"),
                 })
        {
            using var request = new HttpRequestMessage(new(method), path);
            request.Content = path.EndsWith("generations", StringComparison.Ordinal) && method == "POST"
                ? Answers.Json("""{"type":"chat","prompt":"p"}""")
                : null;
            using var response = await client.SendAsync(request, Token);
            await response.ProblemAsync(HttpStatusCode.ServiceUnavailable, "database_unavailable");
            Assert.NotNull(response.Headers.RetryAfter);
        }
    }

    [Fact]
    public async Task A_Postgres_that_hangs_fails_health_within_the_time_limit()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var link = TcpProxy.ToDatabase(database.ConnectionString, out var proxied);
        proxied += $";Timeout={ClientTimeout.TotalSeconds};Command Timeout={ClientTimeout.TotalSeconds}";
        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["ConnectionStrings:statusdb"] = proxied });
        link.FreezeForGood();
        var (status, body) = await GetAsync(api, "/health");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "unhealthy"), (status, (string?)body["status"]));
        Assert.Equal("No answer within 3 s.", ReasonOf(body, "PostgreSQL"));
        await link.StopAsync();
    }

    private static async Task<(HttpStatusCode Status, JsonObject Body)> GetAsync(TestApi api, string path)
    {
        using var response = await api.Anonymous.GetAsync(path, Token);
        return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync(Token))!.AsObject());
    }

    private static async Task<(HttpStatusCode Status, string? State)> StateAsync(TestApi api)
    {
        var (status, body) = await GetAsync(api, "/health");
        return (status, (string?)body["status"]);
    }

    private static string? ReasonOf(JsonObject body, string check) => (string?)body["checks"]![check]!["description"];

    // The client may notice a lost connection at any time; the health endpoint is the only signal of it.
    private static async Task<(HttpStatusCode Status, JsonObject Body)> PollAsync(TestApi api, string state)
    {
        (HttpStatusCode Status, JsonObject Body) answer = default;
        await Eventually.TrueAsync(async () => (string?)(answer = await GetAsync(api, "/health")).Body["status"] == state, everyMilliseconds: 20);
        return answer;
    }

    private async Task<RedisLink> LinkToRedisAsync()
    {
        await using var redis = await servers.ConnectRedisAsync();
        var options = ConfigurationOptions.Parse(redis.ConnectionString);
        var link = new TcpProxy(((IPEndPoint)options.EndPoints[0]).Port);
        options.AsyncTimeout = (int)ClientTimeout.TotalMilliseconds;
        options.EndPoints.Clear();
        options.EndPoints.Add(IPAddress.Loopback, link.Port);
        return new(link, new() { ["ConnectionStrings:redis"] = options.ToString(includePassword: true) });
    }

    private sealed record RedisLink(TcpProxy Link, Dictionary<string, string?> Settings) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Link.DisposeAsync();
    }
}
