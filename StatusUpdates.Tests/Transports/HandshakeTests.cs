using System.Net;
using System.Net.WebSockets;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

public sealed class HandshakeTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Without_a_valid_token_there_is_no_upgrade()
    {
        var api = await shared.ApiAsync();
        using (var none = await Handshake.ShakeAsync(api, null))
        {
            await none.ProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
        }

        foreach (var bad in TestTokens.Bad.Values)
        {
            using var response = await Handshake.ShakeAsync(api, bad);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        }
    }

    [Fact]
    public async Task A_token_in_the_query_is_accepted_like_one_in_the_header()
    {
        var api = await shared.ApiAsync();
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(SocketClient.Address(api, $"?token={TestTokens.Create("alice")}"), Token);

        Assert.Equal(WebSocketState.Open, socket.State);
    }

    [Fact]
    public async Task A_request_that_is_not_a_handshake_is_told_to_upgrade()
    {
        var api = await shared.ApiAsync();
        using var plain = await api.As("alice").GetAsync("/ws/status", Token);
        await plain.ProblemAsync(HttpStatusCode.UpgradeRequired, "upgrade_required");
        Assert.Equal("websocket", plain.Headers.Upgrade.ToString());

        using var old = await Handshake.ShakeAsync(api, TestTokens.Create("alice"), version: "8");
        await old.ProblemAsync(HttpStatusCode.UpgradeRequired, "upgrade_required");
        Assert.Equal("13", Assert.Single(old.Headers.GetValues("Sec-WebSocket-Version")));

        foreach (var key in new[] { "", "c2hvcnQ=", "not base64 but 24 chars.", "dGhlIHNhbXBsZSBub25jZXh4eHg=" })
        {
            using var response = await Handshake.ShakeAsync(api, TestTokens.Create("alice"), key: key);
            await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        }
    }

    [Theory]
    [InlineData("since", "-1")]
    [InlineData("since", "x")]
    [InlineData("since", "")]
    [InlineData("since", "9223372036854775808")]
    [InlineData("generationId", "")]
    [InlineData("generationId", "a%00b")]
    [InlineData("batch", "yes")]
    public async Task An_invalid_parameter_is_named_before_the_upgrade(string name, string value)
    {
        var api = await shared.ApiAsync();
        using var response = await Handshake.ShakeAsync(api, TestTokens.Create("alice"), $"?{name}={value}");
        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");

        Assert.Equal([name], problem["errors"]!.AsObject().Select(error => error.Key));
    }

    [Fact]
    public async Task A_page_of_another_origin_cannot_connect_unless_the_origin_is_allowed()
    {
        await using var api = await TestApi.StartAsync(
            servers,
            new Dictionary<string, string?> { ["Gateway:Connections:AllowedOrigins:0"] = "https://App.Example.com" });
        var own = $"http://{api.Address.Authority}";
        foreach (var good in new[] { own, $"https://{api.Address.Authority}", "https://app.example.com", "https://app.example.com:443" })
        {
            await using var client = await SocketClient.OpenAsync(api, TestTokens.Create("alice"), origin: good);
        }

        foreach (var foreign in new[] { "https://evil.test", "null", "https://app.example.com:444", "http://app.example.com", "https://app.example.com.evil.test", $"{own}1", "file://" })
        {
            using var response = await Handshake.ShakeAsync(api, TestTokens.Create("alice"), origin: foreign);
            await response.ProblemAsync(HttpStatusCode.Forbidden, "foreign_origin");
        }
    }

    [Fact]
    public async Task Connections_over_the_limit_of_a_user_or_of_the_instance_are_refused_until_one_ends()
    {
        await using var api = await TestApi.StartAsync(
            servers,
            new Dictionary<string, string?>
            {
                ["Gateway:Connections:MaxConnectionsPerUser"] = "2",
                ["Gateway:Connections:MaxConnections"] = "3",
            });
        await using var first = await SocketClient.ConnectAsync(api, "alice");
        await using var second = await SocketClient.ConnectAsync(api, "alice");
        using (var third = await Handshake.ShakeAsync(api, TestTokens.Create("alice")))
        {
            await third.ProblemAsync(HttpStatusCode.TooManyRequests, "too_many_connections");
            Assert.NotNull(third.Headers.RetryAfter);
        }

        await using var bob = await SocketClient.ConnectAsync(api, "bob");
        using (var carol = await Handshake.ShakeAsync(api, TestTokens.Create("carol")))
        {
            await carol.ProblemAsync(HttpStatusCode.TooManyRequests, "too_many_connections");
        }

        await first.CloseAsync();
        await Eventually.TrueAsync(() => Sockets.Registry(api).Count == 2);
        await using var again = await SocketClient.ConnectAsync(api, "alice");
    }

    [Theory]
    [InlineData("Gateway:Connections:MaxConnections", "0")]
    [InlineData("Gateway:Connections:AllowedOrigins:0", "https://example.com/path")]
    public async Task An_invalid_setting_prevents_the_start_and_is_named(string key, string value)
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(
            () => TestApi.StartAsync(servers, new Dictionary<string, string?> { [key] = value }));

        Assert.Contains(key, error.ToString(), StringComparison.Ordinal);
    }
}
