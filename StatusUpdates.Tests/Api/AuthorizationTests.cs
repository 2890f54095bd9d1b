using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authorization;
using StatusUpdates.Api.Security.QueryCredentials;

namespace StatusUpdates.Tests.Api;

public sealed class AuthorizationTests(SharedApi shared) : IClassFixture<SharedApi>
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Every_endpoint_of_the_API_except_the_development_tokens_needs_a_token()
    {
        var api = await shared.ApiAsync();
        var open = api.Endpoints
            .Where(e => IsProtected(e.Path) && e.Endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null)
            .Select(e => e.Path);
        Assert.Equal(["/api/v1/dev/token", "/api/v1/dev/worker-token"], open.Order(StringComparer.Ordinal));

        foreach (var (method, path) in Protected(api))
        {
            using var response = await SendAsync(api.Anonymous, method, path);
            await response.ProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");

            // RFC 6750, section 3.1: no error code if no credential was given.
            Assert.Equal("Bearer", response.Headers.WwwAuthenticate.ToString());
        }
    }

    [Fact]
    public async Task Every_endpoint_refuses_every_bad_token()
    {
        var api = await shared.ApiAsync();
        foreach (var (method, path) in Protected(api))
        {
            foreach (var (kind, token) in TestTokens.Bad)
            {
                using var response = await SendAsync(api.CreateClient(token), method, path);
                Assert.True(response.StatusCode == HttpStatusCode.Unauthorized, $"{method} {path} with {kind}: {response.StatusCode}");
                await response.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");
                Assert.StartsWith("Bearer error=\"invalid_token\"", response.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task A_workers_token_opens_what_workers_do_and_nothing_else_and_no_users_token_opens_that()
    {
        var api = await shared.ApiAsync();
        var tokens = new Dictionary<bool, HttpClient[]>
        {
            [true] =
            [
                api.CreateClient(TestTokens.OfWorker("w")),
                api.CreateClient(TestTokens.Create("w", p => p["scope"] = "openid worker")),
                api.CreateClient(TestTokens.Create("w", p => p["scope"] = new JsonArray("openid", "worker"))),
            ],
            [false] = [api.As("u"), api.CreateClient(TestTokens.Create("u", p => p["scope"] = "workers coworker worker2"))],
        };
        foreach (var (method, path) in Protected(api))
        {
            var isOfWorkers = path.StartsWith("/api/v1/worker/", StringComparison.Ordinal);
            foreach (var client in tokens[!isOfWorkers])
            {
                using var refused = await SendAsync(client, method, path);
                Assert.True(refused.StatusCode == HttpStatusCode.Forbidden, $"{method} {path}: {refused.StatusCode}");
                await refused.ProblemAsync(HttpStatusCode.Forbidden, "forbidden");
                Assert.Equal(
                    isOfWorkers ? "Bearer error=\"insufficient_scope\", scope=\"worker\"" : "Bearer error=\"insufficient_scope\"",
                    refused.Headers.WwwAuthenticate.ToString());
            }
        }

        foreach (var worker in tokens[true])
        {
            using var accepted = await SendAsync(worker, "POST", "/api/v1/worker/heartbeat");
            await accepted.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        }
    }

    [Theory]
    [InlineData("Basic dTpw")]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("bearer garbage, Bearer garbage")]
    public async Task Other_credentials_are_not_accepted_as_tokens(string authorization)
    {
        var api = await shared.ApiAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/generations");
        request.Headers.TryAddWithoutValidation("Authorization", authorization);
        using var response = await api.Anonymous.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    [Fact]
    public async Task A_token_in_the_query_is_accepted_only_by_endpoints_that_allow_it()
    {
        var api = await shared.ApiAsync();
        var token = TestTokens.Create("user-1");
        foreach (var (method, path, endpoint) in api.Endpoints.Where(e => IsProtected(e.Path)))
        {
            if (endpoint.Metadata.GetMetadata<IAllowAnonymous>() is null
                && endpoint.Metadata.GetMetadata<AcceptsQueryCredentialsAttribute>() is null)
            {
                using var response = await SendAsync(api.Anonymous, method, $"{path}?token={token}");
                Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            }
        }
    }

    [Theory]
    [InlineData("""{"alg":"HS256"}""")]
    [InlineData("""{"alg":"HS256","typ":"jwt"}""")]
    [InlineData("""{"alg":"HS256","typ":"at+jwt"}""")]
    [InlineData("""{"alg":"HS256","typ":"application/at+JWT"}""")]
    public async Task A_header_with_the_type_of_an_access_token_or_no_type_is_accepted(string header)
    {
        var api = await shared.ApiAsync();
        using var response = await api.CreateClient(TestTokens.WithHeader(header)).GetAsync("/api/v1/generations", Token);
        await response.DataAsync();
    }

    [Theory]
    [InlineData("alg not accepted by this API", "HS256")]
    [InlineData("typ of a logout token", "at+jwt")]
    [InlineData("crit", "crit")]
    public async Task A_refused_header_gets_an_error_that_names_what_is_accepted(string kind, string named)
    {
        var api = await shared.ApiAsync();
        using var response = await api.CreateClient(TestTokens.Bad[kind]).GetAsync("/api/v1/generations", Token);
        var problem = await response.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");
        Assert.Contains(named, (string?)problem["detail"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("exp", -25, HttpStatusCode.OK)]
    [InlineData("exp", -45, HttpStatusCode.Unauthorized)]
    [InlineData("nbf", 20, HttpStatusCode.OK)]
    [InlineData("nbf", 45, HttpStatusCode.Unauthorized)]
    public async Task Clocks_may_differ_by_thirty_seconds(string claim, int seconds, HttpStatusCode expected)
    {
        var api = await shared.ApiAsync();
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var client = api.CreateClient(TestTokens.Create("u", p => p[claim] = now + seconds));
        using var response = await client.GetAsync("/api/v1/generations", Token);
        Assert.Equal(expected, response.StatusCode);
    }

    [Theory]
    [InlineData("u")]
    [InlineData("user with spaces: and/slashes?")]
    [InlineData("Ünïcode 😀 пользователь")]
    public async Task Any_text_can_be_a_user_id(string userId)
    {
        var api = await shared.ApiAsync();
        using var response = await api.As(userId).PostAsync(
            "/api/v1/generations", Answers.Json("""{"type":"chat","prompt":"hello"}"""), Token);
        Assert.Equal(userId, (string?)(await response.DataAsync(HttpStatusCode.Accepted))["userId"]);
    }

    [Fact]
    public async Task A_user_id_of_255_characters_is_accepted()
    {
        var api = await shared.ApiAsync();
        using var response = await api.As(new string('u', 255)).GetAsync("/api/v1/generations", Token);
        await response.DataAsync();
    }

    private static bool IsProtected(string path) =>
        path.StartsWith("/api/", StringComparison.Ordinal) || path.StartsWith("/ws/", StringComparison.Ordinal);

    private static IEnumerable<(string Method, string Path)> Protected(TestApi api) => api.Endpoints
        .Where(e => IsProtected(e.Path) && e.Endpoint.Metadata.GetMetadata<IAllowAnonymous>() is null)
        .Select(e => (e.Method, e.Path));

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, string method, string path)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (method == "POST")
        {
            request.Content = Answers.Json("{}");
        }

        return await client.SendAsync(request, Token);
    }
}
