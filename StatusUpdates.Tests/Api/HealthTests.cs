using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Npgsql;
using StackExchange.Redis;

namespace StatusUpdates.Tests.Api;

public sealed class HealthTests(TestServers servers)
{
    // Far above the bound of a check, on a busy machine too, and far below the clients' own time-outs in these tests.
    private static readonly TimeSpan Quick = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan ClientTimeout = TimeSpan.FromMinutes(5);

    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData("Development", true)]
    [InlineData("Production", false)]
    public async Task Details_are_for_Development_alone(string environment, bool detailed)
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
    public async Task With_Redis_away_the_service_is_degraded_and_serves()
    {
        await using var redis = await LinkToRedisAsync();
        await using var api = await TestApi.StartAsync(servers, redis.Settings);
        Assert.Equal("healthy", (string?)(await GetAsync(api, "/health")).Body["status"]);

        await redis.Link.CutAsync();
        var (status, body) = await PollAsync(api, "degraded");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("degraded", (string?)body["checks"]!["StackExchange.Redis"]!["status"]);

        // Once the client knows, it is not asked: a probe waits a second for its answer, and a question to it would take that long.
        while ((string?)body["checks"]!["StackExchange.Redis"]!["description"] != "Not connected.")
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
    public async Task A_Redis_that_hangs_degrades_health_within_its_time()
    {
        await using var redis = await LinkToRedisAsync();
        await using var api = await TestApi.StartAsync(servers, redis.Settings);
        Assert.Equal("healthy", (string?)(await GetAsync(api, "/health")).Body["status"]);

        redis.Link.Freeze();
        var watch = Stopwatch.StartNew();
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => GetAsync(api, "/health")));
        Assert.True(watch.Elapsed < Quick, $"took {watch.Elapsed}");
        Assert.All(answers, answer => Assert.Equal((HttpStatusCode.OK, "degraded"), (answer.Status, (string?)answer.Body["status"])));

        // Else the end of the API waits for the client's time-out.
        await redis.Link.CutAsync();
    }

    [Fact]
    public async Task Without_Redis_at_its_start_the_API_serves()
    {
        await using var redis = await LinkToRedisAsync();
        await redis.Link.CutAsync();
        await using var api = await TestApi.StartAsync(servers, redis.Settings);
        Assert.Equal((HttpStatusCode.OK, "degraded"), await StateAsync(api));
    }

    [Fact]
    public async Task With_Postgres_away_health_fails_requests_say_so_and_the_process_is_alive()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        var target = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        await using var link = new BreakableLink(target.Port);
        target.Host = "127.0.0.1";
        target.Port = link.Port;
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?>
        {
            ["ConnectionStrings:statusdb"] = target.ConnectionString,
            ["Requests:Timeout"] = "00:00:02",
        });
        Assert.Equal((HttpStatusCode.OK, "healthy"), await StateAsync(api));

        await link.CutAsync();
        var (status, body) = await GetAsync(api, "/health");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "unhealthy"), (status, (string?)body["status"]));

        // Asked once and told why, not tried again until the check's time is over.
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
    public async Task A_Postgres_that_hangs_fails_health_within_its_time()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        var target = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        await using var link = new BreakableLink(target.Port);
        target.Host = "127.0.0.1";
        target.Port = link.Port;
        target.CommandTimeout = target.Timeout = (int)ClientTimeout.TotalSeconds;
        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["ConnectionStrings:statusdb"] = target.ConnectionString });
        link.Freeze();
        var watch = Stopwatch.StartNew();
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "unhealthy"), await StateAsync(api));
        Assert.True(watch.Elapsed < Quick, $"took {watch.Elapsed}");
        await link.CutAsync();
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

    // The client notices a lost connection when it does; the health endpoint is the only signal of it.
    private static async Task<(HttpStatusCode Status, JsonObject Body)> PollAsync(TestApi api, string state)
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (true)
        {
            var answer = await GetAsync(api, "/health");
            if ((string?)answer.Body["status"] == state)
            {
                return answer;
            }

            await look.WaitForNextTickAsync(Token);
        }
    }

    private async Task<RedisLink> LinkToRedisAsync()
    {
        await using var redis = await servers.ConnectRedisAsync();
        var options = ConfigurationOptions.Parse(redis.ConnectionString);
        var link = new BreakableLink(((IPEndPoint)options.EndPoints[0]).Port);
        options.AsyncTimeout = (int)ClientTimeout.TotalMilliseconds;
        options.EndPoints.Clear();
        options.EndPoints.Add(IPAddress.Loopback, link.Port);
        return new(link, new() { ["ConnectionStrings:redis"] = options.ToString(includePassword: true) });
    }

    private sealed record RedisLink(BreakableLink Link, Dictionary<string, string?> Settings) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Link.DisposeAsync();
    }
}
