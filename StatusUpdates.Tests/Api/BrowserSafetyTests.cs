using System.Net;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Api;

/// <summary>The security headers of responses, and the host names that the API accepts.</summary>
public sealed class BrowserSafetyTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData("rebound.example.com")]
    [InlineData("localhost.example.com")]
    [InlineData("192.168.1.20")]
    public async Task In_Development_other_host_names_are_refused_against_DNS_rebinding(string host)
    {
        var api = await shared.ApiAsync();
        using var token = new HttpRequestMessage(HttpMethod.Post, "/api/v1/dev/token") { Content = Answers.Json("""{"userId":"alice"}""") };
        token.Headers.Host = host;
        using var refused = await api.Anonymous.SendAsync(token, Token);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);

        var client = api.As("alice");
        client.DefaultRequestHeaders.Host = host;
        using var socket = await Handshake.ShakeAsync(client, origin: $"http://{host}");
        Assert.Equal(HttpStatusCode.BadRequest, socket.StatusCode);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("LOCALHOST:5080")]
    [InlineData("127.0.0.1")]
    [InlineData("[::1]:5080")]
    [InlineData("api-statusupdates.dev.localhost:5080")]
    public async Task In_Development_the_host_names_of_this_machine_are_accepted(string host)
    {
        var api = await shared.ApiAsync();
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(api, "/", host)).StatusCode);
    }

    [Fact]
    public async Task Outside_Development_any_host_name_is_accepted_unless_allowed_hosts_are_set()
    {
        await using var any = await TestApi.StartAsync(servers, environment: "Production");
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(any, "/", "status.example.com")).StatusCode);

        await using var one = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["AllowedHosts"] = "status.example.com" }, "Production");
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(one, "/", "status.example.com")).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await GetAsync(one, "/", "other.example.com")).StatusCode);
    }

    [Theory]
    [InlineData("Production", "https", true)]
    [InlineData("Production", "http", false)]
    [InlineData("Development", "https", false)]
    public async Task Outside_Development_responses_over_https_require_https_from_then_on(string environment, string scheme, bool isRequired)
    {
        await using var api = await TestApi.StartAsync(
            servers,
            new Dictionary<string, string?> { ["ForwardedHeaders:KnownNetworks:0"] = "127.0.0.0/8", ["AllowedHosts"] = "*" },
            environment);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/generations");
        request.Headers.Host = "status.example.com";
        request.Headers.Add("X-Forwarded-Proto", scheme);
        using var response = await api.As("alice").SendAsync(request, Token);
        Assert.Equal(isRequired, response.Headers.Contains("Strict-Transport-Security"));
        if (isRequired)
        {
            Assert.Equal("max-age=31536000", Assert.Single(response.Headers.GetValues("Strict-Transport-Security")));
        }
    }

    [Fact]
    public async Task Every_response_forbids_type_sniffing_and_every_page_has_a_content_security_policy()
    {
        var api = await shared.ApiAsync();
        foreach (var path in new[] { "/", "/js/app.js", "/scalar", "/openapi/v1.json", "/api/v1/generations", "/api/v1/nothing", "/results/x", "/health", "/ws/status" })
        {
            using var response = await GetAsync(api, path, null);
            Assert.True(response.Headers.TryGetValues("X-Content-Type-Options", out var values) && values.Single() == "nosniff", path);
            Assert.True(response.Content.Headers.ContentType?.MediaType != "text/html" || response.Headers.Contains("Content-Security-Policy"), path);
        }

        // The response to an exception is written from scratch.
        using var broken = await api.As("alice").PostAsync("/api/v1/generations", Answers.Json("{"), Token);
        Assert.Equal("nosniff", broken.Headers.GetValues("X-Content-Type-Options").Single());
    }

    private static async Task<HttpResponseMessage> GetAsync(TestApi api, string path, string? host)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Host = host;
        return await api.Anonymous.SendAsync(request, Token);
    }
}
