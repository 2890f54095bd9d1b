using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

public sealed class TokenTests(TestServers servers)
{
    [Fact]
    public async Task An_expiring_token_is_announced_and_ends_the_connection_after_the_clock_skew()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));
        await using var client = await SocketClient.ConnectAsync(api, "alice", token: TokenFor(time, "alice", 30));
        Sockets.Advance(api, time, TimeSpan.FromSeconds(23));
        await AssertQuietAsync(client);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(1));
        var warning = await client.NextAsync();
        Assert.Equal("token_expiring", (string?)warning["type"]);
        Assert.Equal(time.GetUtcNow().AddSeconds(6).ToUnixTimeSeconds(), ((DateTimeOffset)warning["expiresAt"]!).ToUnixTimeSeconds());

        Sockets.Advance(api, time, TimeSpan.FromSeconds(12));
        await AssertQuietAsync(client);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(12));
        await AssertQuietAsync(client);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(11));
        await AssertQuietAsync(client);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(1.5));
        Assert.Equal(4401, await client.CloseCodeAsync());
    }

    [Fact]
    public async Task A_fresh_token_of_the_same_user_keeps_the_connection_and_a_bad_one_leaves_the_old_expiry()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));
        await using var client = await SocketClient.ConnectAsync(api, "alice", token: TokenFor(time, "alice", 30));
        for (var round = 0; round < 10; round++)
        {
            Sockets.Advance(api, time, TimeSpan.FromSeconds(13));
            Sockets.Advance(api, time, TimeSpan.FromSeconds(12));
            Assert.Equal("token_expiring", (string?)(await client.NextAsync())["type"]);
            await client.SendAsync(Authenticate(TokenFor(time, "alice", 30)));
            var answer = await client.NextAsync();
            Assert.Equal("authenticated", (string?)answer["type"]);
            Assert.Equal(time.GetUtcNow().AddSeconds(30).ToUnixTimeSeconds(), ((DateTimeOffset)answer["expiresAt"]!).ToUnixTimeSeconds());
        }

        foreach (var bad in TestTokens.Bad.Where(t => t.Key != "expired").Select(t => t.Value).Take(8))
        {
            await client.SendAsync(Authenticate(bad));
            Assert.Equal("invalid_token", (string?)(await client.NextAsync())["code"]);
        }

        Sockets.Advance(api, time, TimeSpan.FromSeconds(13));
        Sockets.Advance(api, time, TimeSpan.FromSeconds(13));
        Assert.Equal("token_expiring", (string?)(await client.NextAsync())["type"]);
        await client.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (string?)(await client.NextAsync())["type"]);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(13));
        await client.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (string?)(await client.NextAsync())["type"]);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(22));
        Assert.Equal(4401, await client.CloseCodeAsync());
    }

    [Fact]
    public async Task A_token_of_another_user_ends_the_connection()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var client = await SocketClient.ConnectAsync(api, "alice");
        await client.SendAsync(Authenticate(TestTokens.Create("bob")));

        Assert.Equal(4403, await client.CloseCodeAsync());
    }

    private static string TokenFor(TimeProvider time, string userId, int seconds) => TestTokens.Create(userId, payload =>
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        payload["iat"] = now;
        payload["nbf"] = now;
        payload["exp"] = now + seconds;
    });

    private static string Authenticate(string token) =>
        new JsonObject { ["type"] = "authenticate", ["token"] = token }.ToJsonString();

    // The response to a ping comes after everything that was due before it.
    private static async Task AssertQuietAsync(SocketClient client)
    {
        await client.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (string?)(await client.NextAsync())["type"]);
    }
}
