using System.Net;

namespace StatusUpdates.Tests.Api;

/// <summary>What a browser would let a page of another origin do, judged by the headers alone.</summary>
public sealed class CrossOriginTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private const string AllowedOrigin = "https://app.example.com";
    private const string UntrustedOrigin = "https://evil.test";
    private const string List = "/api/v1/generations";

    private static CancellationToken Token => TestTime.Token;

    public static TheoryData<string, string, string> Preflights => new()
    {
        { List, "POST", "authorization,content-type,idempotency-key" },
        { List, "GET", "authorization,if-none-match" },
        { "/api/v1/tickets", "POST", "authorization" },
        { "/api/v1/status/poll", "GET", "authorization" },
        { "/api/v1/status/stream", "GET", "authorization,last-event-id" },
        { "/api/v1/generations/gen-0/stream", "GET", "last-event-id" },
        { "/api/v1/webhooks/wh-0", "PATCH", "authorization,content-type" },
        { "/api/v1/webhooks/wh-0", "DELETE", "authorization" },
        { "/api/v1/nothing", "GET", "authorization" },
    };

    [Theory]
    [MemberData(nameof(Preflights))]
    public async Task A_page_of_an_allowed_origin_may_send_what_the_protocol_requires(string path, string method, string headers)
    {
        var api = await ApiAsync();
        using var response = await PreflightAsync(api, path, AllowedOrigin, method, headers);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal(AllowedOrigin, Header(response, "Access-Control-Allow-Origin"));
        Assert.Contains(method, Header(response, "Access-Control-Allow-Methods").Split(','));
        Assert.Empty(headers.Split(',').Except(Header(response, "Access-Control-Allow-Headers").Split(','), StringComparer.OrdinalIgnoreCase));
        Assert.False(response.Headers.Contains("Access-Control-Allow-Credentials"));
    }

    [Theory]
    [InlineData(UntrustedOrigin)]
    [InlineData("null")]
    [InlineData("https://app.example.com:444")]
    [InlineData("http://app.example.com")]
    [InlineData("https://app.example.com.evil.test")]
    public async Task A_page_of_another_origin_is_allowed_nothing(string origin)
    {
        var api = await ApiAsync();
        using var preflight = await PreflightAsync(api, List, origin, "POST", "authorization");
        using var request = await SendAsync(api.As("alice"), List, origin);
        Assert.False(preflight.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.False(request.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.Contains("Origin", request.Headers.Vary);
    }

    [Fact]
    public async Task A_page_of_an_allowed_origin_can_read_the_response_and_its_headers()
    {
        var api = await ApiAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, List) { Content = Answers.Json("""{"type":"chat","prompt":"p"}""") };
        request.Headers.Add("Origin", AllowedOrigin);
        using var response = await api.As("alice").SendAsync(request, Token);
        await response.DataAsync(HttpStatusCode.Accepted);
        Assert.Equal(AllowedOrigin, Header(response, "Access-Control-Allow-Origin"));
        Assert.Contains("Origin", response.Headers.Vary);

        // Headers that a page can read anyway (WHATWG Fetch, section 2.2.2), or that are for browsers and caches.
        string[] unexposed = ["Cache-Control", "Content-Type", "Content-Length", "X-Content-Type-Options", "Vary", "Date", "Server", "Transfer-Encoding"];
        var exposed = Header(response, "Access-Control-Expose-Headers").Split(',');
        Assert.Empty(response.Headers.Select(header => header.Key)
            .Where(name => !name.StartsWith("Access-Control-", StringComparison.Ordinal))
            .Except([.. exposed, .. unexposed], StringComparer.OrdinalIgnoreCase));
        Assert.Contains("Location", exposed);
        Assert.Contains("Retry-After", exposed);
        Assert.Contains("ETag", exposed);
    }

    [Fact]
    public async Task Every_kind_of_error_response_can_be_read()
    {
        await using var api = await TestApi.StartAsync(
            servers,
            new Dictionary<string, string?>
            {
                ["Gateway:Connections:AllowedOrigins:0"] = AllowedOrigin,
                ["RateLimits:User:Burst"] = "1",
                ["RateLimits:User:PermitsPerSecond"] = "1",
                ["Gateway:Connections:MaxConnections"] = "1",
            });
        foreach (var (client, path, status) in new[]
                 {
                     (api.Anonymous, List, 401),
                     (api.Anonymous, "/api/v1/nothing", 404),
                     (api.Anonymous, "/api/v1/tickets", 405),
                     (api.As("alice"), List + "?limit=0", 400),
                     (api.As("alice"), List, 429),
                 })
        {
            using var response = await SendAsync(client, path, AllowedOrigin);
            Assert.Equal(status, (int)response.StatusCode);
            Assert.Equal(AllowedOrigin, Header(response, "Access-Control-Allow-Origin"));
        }
    }

    [Fact]
    public async Task The_response_while_the_database_is_away_can_be_read()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var link = TcpProxy.ToDatabase(database.ConnectionString, out var proxied);
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?>
        {
            ["ConnectionStrings:statusdb"] = proxied,
            ["Requests:Timeout"] = "00:00:02",
            ["Gateway:Connections:AllowedOrigins:0"] = AllowedOrigin,
        });
        await link.StopAsync();
        using var response = await SendAsync(api.As("alice"), List, AllowedOrigin);
        await response.ProblemAsync(HttpStatusCode.ServiceUnavailable, "database_unavailable");
        Assert.Equal(AllowedOrigin, Header(response, "Access-Control-Allow-Origin"));
        Assert.Equal("nosniff", Header(response, "X-Content-Type-Options"));
        Assert.Contains("Retry-After", Header(response, "Access-Control-Expose-Headers"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_of_an_allowed_origin_can_read_a_stream_and_the_JavaScript_client()
    {
        var api = await ApiAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/status/stream");
        request.Headers.Add("Origin", AllowedOrigin);
        using var stream = await api.As("alice").SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        using var module = await SendAsync(api.Anonymous, "/client/status-updates.js", AllowedOrigin);
        Assert.Equal((HttpStatusCode.OK, AllowedOrigin), (stream.StatusCode, Header(stream, "Access-Control-Allow-Origin")));
        Assert.Equal((HttpStatusCode.OK, AllowedOrigin), (module.StatusCode, Header(module, "Access-Control-Allow-Origin")));
    }

    private Task<TestApi> ApiAsync() => shared.ApiAsync(() => TestApi.StartAsync(
        servers, new Dictionary<string, string?> { ["Gateway:Connections:AllowedOrigins:0"] = "https://App.Example.com:443" }));

    private static async Task<HttpResponseMessage> PreflightAsync(TestApi api, string path, string origin, string method, string headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, path);
        request.Headers.Add("Origin", origin);
        request.Headers.Add("Access-Control-Request-Method", method);
        request.Headers.Add("Access-Control-Request-Headers", headers);
        return await api.Anonymous.SendAsync(request, Token);
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, string path, string origin)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("Origin", origin);
        return await client.SendAsync(request, Token);
    }

    private static string Header(HttpResponseMessage response, string name) => string.Join(',', response.Headers.GetValues(name));
}
