using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.Tests.Api;

public sealed class ForwardedHeaderTests(TestServers servers)
{
    private const string Path = "/api/v1/generations";

    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData("ForwardedHeaders:KnownNetworks:0", "127.0.0.0/8")]
    [InlineData("ForwardedHeaders:KnownNetworks:0", "::1/128,127.0.0.1/32")]
    [InlineData("ForwardedHeaders:KnownNetworks:0", "10.0.0.0/8, 127.0.0.0/8")]
    public async Task A_known_proxy_is_trusted_on_address_and_scheme_and_the_limit_applies_to_the_client(string key, string value)
    {
        await using var api = await StartAsync("true", (key, value));

        Assert.Equal("https 192.0.2.1", await SeenAsync(api, "192.0.2.1", "https"));
        Assert.Equal("401 401 429 401", await StatusesAsync(api, "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"));
    }

    [Fact]
    public async Task Anybody_else_is_not_trusted_so_invented_addresses_do_not_evade_the_limit()
    {
        await using var api = await StartAsync("true", ("ForwardedHeaders:KnownNetworks:0", "10.0.0.0/8"));

        Assert.Equal("http 127.0.0.1", await SeenAsync(api, "192.0.2.1", "https"));
        Assert.Equal("401 401 429", await StatusesAsync(api, "192.0.2.1", "192.0.2.2", "192.0.2.3"));
    }

    [Fact]
    public async Task The_client_is_the_last_address_that_is_not_a_known_proxy()
    {
        await using var api = await StartAsync("true", ("ForwardedHeaders:KnownNetworks:0", "127.0.0.0/8,10.0.0.0/8"));

        Assert.Equal("https 192.0.2.7", await SeenAsync(api, "203.0.113.9, 10.0.0.9, 192.0.2.7, 10.0.0.1", "https, https"));
    }

    [Fact]
    public async Task With_only_the_variable_a_proxy_on_the_same_machine_is_trusted_and_a_warning_names_what_to_set()
    {
        var logs = new CollectedLogs();
        await using var api = await StartAsync("true", logs);

        Assert.Equal("https 192.0.2.1", await SeenAsync(api, "192.0.2.1", "https"));

        // Addresses in private networks are trusted no more than others.
        Assert.Equal("https 10.0.0.1", await SeenAsync(api, "192.0.2.1, 10.0.0.1", "https, https"));
        Assert.Contains(logs.Lines, line => line.Contains("ForwardedHeaders:KnownNetworks", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("false")]
    public async Task Without_the_variable_nobody_is_trusted_and_no_warning_is_logged(string? enabled)
    {
        var logs = new CollectedLogs();
        await using var api = await StartAsync(enabled, logs);
        Assert.Equal("http 127.0.0.1", await SeenAsync(api, "192.0.2.1", "https"));
        Assert.DoesNotContain(logs.Lines, line => line.Contains("ForwardedHeaders", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Known_proxies_are_trusted_even_without_the_variable()
    {
        await using var api = await StartAsync(null, ("ForwardedHeaders:KnownNetworks:0", "127.0.0.0/8"));
        Assert.Equal("https 192.0.2.1", await SeenAsync(api, "192.0.2.1", "https"));
    }

    [Theory]
    [InlineData("ForwardedHeaders:KnownNetworks:1", "10.0.0.0", "ForwardedHeaders:KnownNetworks:1 must be networks in CIDR notation")]
    [InlineData("ForwardedHeaders:KnownNetworks:0", "10.0.0.0/33", "ForwardedHeaders:KnownNetworks:0 must be networks in CIDR notation")]
    [InlineData("ForwardedHeaders:KnownNetworks:0", "10.0.0.0/8,ingress", "ForwardedHeaders:KnownNetworks:0 must be networks in CIDR notation")]
    public async Task An_invalid_network_fails_the_start_with_an_error_that_names_the_key(string key, string value, string message)
    {
        var settings = key.EndsWith('1') ? new[] { ("ForwardedHeaders:KnownNetworks:0", "10.0.0.0/8"), (key, value) } : [(key, value)];
        var error = await Record.ExceptionAsync(() => StartAsync("true", settings));
        Assert.Contains(message, error!.Message, StringComparison.Ordinal);
    }

    private Task<TestApi> StartAsync(string? enabled, params (string Key, string Value)[] settings) => StartAsync(enabled, null, settings);

    private Task<TestApi> StartAsync(string? enabled, CollectedLogs? logs, params (string Key, string Value)[] settings) => TestApi.StartAsync(
        servers,
        new Dictionary<string, string?>(settings.Select(s => KeyValuePair.Create<string, string?>(s.Key, s.Value)))
        {
            // The configuration key of ASPNETCORE_FORWARDEDHEADERS_ENABLED.
            ["FORWARDEDHEADERS_ENABLED"] = enabled,
            ["RateLimits:Address:PermitsPerSecond"] = "1",
            ["RateLimits:Address:Burst"] = "2",
        },
        "Production",
        builder =>
        {
            if (logs is not null)
            {
                builder.Logging.AddProvider(logs);
            }
        },
        app => app.MapGet("/seen", (HttpContext context) => $"{context.Request.Scheme} {context.Connection.RemoteIpAddress}").DisableRateLimiting());

    private static async Task<string> SeenAsync(TestApi api, string forwardedFor, string proto)
    {
        using var response = await SendAsync(api, "/seen", forwardedFor, proto);
        return await response.Content.ReadAsStringAsync(Token);
    }

    private static async Task<string> StatusesAsync(TestApi api, params string[] forwardedFor)
    {
        var statuses = new List<int>();
        foreach (var address in forwardedFor)
        {
            using var response = await SendAsync(api, Path, address, "https");
            statuses.Add((int)response.StatusCode);
        }

        return string.Join(' ', statuses);
    }

    private static async Task<HttpResponseMessage> SendAsync(TestApi api, string path, string forwardedFor, string proto)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("X-Forwarded-For", forwardedFor);
        request.Headers.Add("X-Forwarded-Proto", proto);
        return await api.Anonymous.SendAsync(request, Token);
    }
}
