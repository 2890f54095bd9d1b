using System.Globalization;
using System.Net;

namespace StatusUpdates.Tests.Api;

public sealed class DevTokenTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private const string Path = "/api/v1/dev/token";
    private const string WorkerPath = "/api/v1/dev/worker-token";

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_development_token_authenticates_its_user_until_it_expires()
    {
        await using var api = await TestApi.StartAsync(servers);
        using var response = await api.Anonymous.PostAsync(Path, Answers.Json("""{"userId":"user-456"}"""), Token);
        var data = await response.DataAsync();
        var expiresAt = DateTimeOffset.Parse((string)data["expiresAt"]!, CultureInfo.InvariantCulture);
        Assert.InRange(expiresAt - TimeProvider.System.GetUtcNow(), TimeSpan.FromHours(11.9), TimeSpan.FromHours(12.01));

        using var submitted = await api.CreateClient((string)data["token"]!).PostAsync(
            "/api/v1/generations", Answers.Json("""{"type":"chat","prompt":"p"}"""), Token);
        Assert.Equal("user-456", (string?)(await submitted.DataAsync(HttpStatusCode.Accepted))["userId"]);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"userId":null}""")]
    [InlineData("""{"userId":""}""")]
    [InlineData("""{"userId":7}""")]
    [InlineData("""{"userId":"a\u0000"}""")]
    [InlineData("""{"userId":"\ud800"}""")]
    [InlineData("256")]
    public async Task An_invalid_user_id_gets_no_token(string body)
    {
        var api = await shared.ApiAsync();
        using var response = await api.Anonymous.PostAsync(
            Path, Answers.Json(body == "256" ? $$"""{"userId":"{{new string('u', 256)}}"}""" : body), Token);
        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal("userId", Assert.Single(problem["errors"]!.AsObject()).Key);
    }

    [Fact]
    public async Task A_development_token_of_a_worker_has_its_name_and_its_tasks()
    {
        var api = await shared.ApiAsync();
        foreach (var (body, task, expected) in new[]
        {
            ("""{"name":"gpu-1","tasks":["sora"]}""", "sora", HttpStatusCode.OK),
            ("""{"name":"gpu-1","tasks":["sora"]}""", "product_card", HttpStatusCode.Forbidden),
            ("{}", "product_card", HttpStatusCode.OK),
        })
        {
            using var response = await api.Anonymous.PostAsync(WorkerPath, Answers.Json(body), Token);
            var client = api.CreateClient((string)(await response.DataAsync())["token"]!);
            using var claim = await client.PostAsync(
                "/api/v1/worker/claim", Answers.Json($$"""{"workerId":"w","tasks":["{{task}}"],"free":1,"waitSeconds":0}"""), Token);
            Assert.Equal(expected, claim.StatusCode);
        }
    }

    [Theory]
    [InlineData("""{"name":""}""", "name")]
    [InlineData("""{"name":7}""", "name")]
    [InlineData("""{"tasks":[]}""", "tasks")]
    [InlineData("""{"tasks":["Sora"]}""", "tasks")]
    [InlineData("""{"tasks":[null]}""", "tasks")]
    [InlineData("""{"tasks":"sora"}""", "tasks")]
    public async Task An_invalid_name_or_task_gets_no_token(string body, string field)
    {
        var api = await shared.ApiAsync();
        using var response = await api.Anonymous.PostAsync(WorkerPath, Answers.Json(body), Token);
        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(field, Assert.Single(problem["errors"]!.AsObject()).Key);
    }

    [Fact]
    public async Task Outside_Development_there_are_no_development_tokens()
    {
        await using var api = await TestApi.StartAsync(servers, environment: "Production");
        using var response = await api.Anonymous.PostAsync(Path, Answers.Json("""{"userId":"u"}"""), Token);
        await response.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        Assert.DoesNotContain(Path, api.Endpoints.Select(e => e.Path));
        Assert.DoesNotContain(WorkerPath, api.Endpoints.Select(e => e.Path));
        Assert.DoesNotContain("/dev/", await api.Anonymous.GetStringAsync("/openapi/v1.json", Token), StringComparison.Ordinal);
    }
}
