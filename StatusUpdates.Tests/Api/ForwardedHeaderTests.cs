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
    [InlineData("ForwardedHeaders:KnownNetworks:0", "10.0.0.0/8, 127.0.0.0/8")]
    [InlineData("ForwardedHeaders:KnownProxies:0", "::1,127.0.0.1")]
    public async Task Of_a_known_proxy_address_and_scheme_are_believed_and_the_limit_is_the_clients(string key, string value)
    {
        await using var api = await StartAsync("true", (key, value));

        Assert.Equal("https 192.0.2.1", await SeenAsync(api, "192.0.2.1", "https"));
        Assert.Equal("401 401 429 401", await StatusesAsync(api, "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"));
    }

    [Fact]
    public async Task Of_anybody_else_they_are_not_so_that_nobody_makes_up_addresses_to_pass_the_limit()
    {
        await using var api = await StartAsync("true", ("ForwardedHeaders:KnownNetworks:0", "10.0.0.0/8"));

        Assert.Equal("http 127.0.0.1", await SeenAsync(api, "192.0.2.1", "https"));
        Assert.Equal("401 401 429", await StatusesAsync(api, "192.0.2.1", "192.0.2.2", "192.0.2.3"));
    }

    [Fact]
    public async Task The_client_is_the_last_address_that_no_known_proxy_has()
    {
        await using var api = await StartAsync("true", ("ForwardedHeaders:KnownNetworks:0", "127.0.0.0/8,10.0.0.0/8"));

        Assert.Equal("https 192.0.2.7", await SeenAsync(api, "203.0.113.9, 10.0.0.9, 192.0.2.7, 10.0.0.1", "https, https"));
    }

    [Fact]
    public async Task With_the_variable_alone_a_proxy_on_the_same_machine_is_believed_and_a_warning_names_what_to_set()
    {
        var logs = new CollectedLogs();
        await using var api = await StartAsync("true", logs);

        Assert.Equal("https 192.0.2.1", await SeenAsync(api, "192.0.2.1", "https"));

        // What stands in a private network is believed no more than anything else.
        Assert.Equal("https 10.0.0.1", await SeenAsync(api, "192.0.2.1, 10.0.0.1", "https, https"));
        Assert.Contains(logs.Lines, line => line.Contains("ForwardedHeaders:KnownNetworks", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("false")]
    public async Task Without_the_variable_nobody_is_believed_and_nothing_is_warned_of(string? enabled)
    {
        var logs = new CollectedLogs();
        await using var api = await StartAsync(enabled, logs);
        Assert.Equal("http 127.0.0.1", await SeenAsync(api, "192.0.2.1", "https"));
        Assert.DoesNotContain(logs.Lines, line => line.Contains("ForwardedHeaders", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Known_proxies_are_believed_without_the_variable_too()
    {
        await using var api = await StartAsync(null, ("ForwardedHeaders:KnownNetworks:0", "127.0.0.0/8"));
        Assert.Equal("https 192.0.2.1", await SeenAsync(api, "192.0.2.1", "https"));
    }

    [Theory]
    [InlineData("ForwardedHeaders:KnownNetworks:1", "10.0.0.0", "ForwardedHeaders:KnownNetworks:1 must be networks in CIDR notation")]
    [InlineData("ForwardedHeaders:KnownNetworks:0", "10.0.0.0/33", "ForwardedHeaders:KnownNetworks:0 must be networks in CIDR notation")]
    [InlineData("ForwardedHeaders:KnownNetworks:0", "10.0.0.0/8,ingress", "ForwardedHeaders:KnownNetworks:0 must be networks in CIDR notation")]
    [InlineData("ForwardedHeaders:KnownProxies:0", "10.0.0.0/8", "ForwardedHeaders:KnownProxies:0 must be IP addresses")]
    public async Task What_is_no_network_ends_the_start_naming_the_key(string key, string value, string message)
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
            // As ASPNETCORE_FORWARDEDHEADERS_ENABLED arrives.
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
