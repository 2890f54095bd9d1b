using Microsoft.Extensions.Time.Testing;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client.JavaScript;

/// <summary>How <c>status-updates.js</c> keeps its token valid, against the API itself with a clock that the test advances.</summary>
public sealed class JavaScriptTokenTests(TestServers servers)
{
    // The clock jumps; no connection may be taken for dead.
    private static readonly Dictionary<string, string?> LongPeerTimeout = new()
    {
        ["Gateway:Connections:PingInterval"] = "00:30:00",
        ["Gateway:Connections:PeerTimeout"] = "01:00:00",
    };

    [Fact]
    public async Task An_expiring_token_is_replaced_in_place_and_the_connection_stays_open()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, LongPeerTimeout, configure: Sockets.With(time));
        await using var client = await StartAsync(api, TokenFor(time, "alice"));
        await client.StateAsync("live", "websocket");
        for (var round = 0; round < 5; round++)
        {
            // The last token may not have arrived yet; until it has, run the server's check again, as its timer does.
            time.Advance(TimeSpan.FromSeconds(25));
            var requested = client.NextAsync("tokenRequested");
            await Eventually.TrueAsync(() =>
            {
                Sockets.Advance(api, time, TimeSpan.Zero);
                return requested.IsCompleted;
            });
            await requested;
            await client.GiveTokenAsync(TokenFor(time, "alice"));
        }

        await api.PublishAsync("alice");
        Assert.Equal([1], await client.SeqsAsync(1));
        Assert.Equal(["connecting", "live"], client.States.Select(state => state.GetProperty("state").GetString()!));
    }

    [Fact]
    public async Task After_its_token_expired_a_connection_is_reopened_with_a_fresh_one_and_misses_nothing()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, LongPeerTimeout, configure: Sockets.With(time));
        await using var client = await StartAsync(api, TokenFor(time, "alice"));
        await client.StateAsync("live", "websocket");
        Sockets.Advance(api, time, TimeSpan.FromSeconds(25));
        await client.NextAsync("tokenRequested");
        await client.GiveTokenAsync(null);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(40));
        await client.NextAsync("tokenRequested");
        await api.CommitAsync("alice");
        await client.GiveTokenAsync(TokenFor(time, "alice"));

        Assert.Equal([1], await client.SeqsAsync(1));
        Assert.Equal(["connecting", "live", "connecting", "live"], client.States.Select(state => state.GetProperty("state").GetString()!));
    }

    [Fact]
    public async Task A_refused_token_is_replaced_at_once_then_after_a_wait_and_a_third_refusal_is_an_error()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var accepted = await StartAsync(api, TestTokens.Bad["expired"]);
        await accepted.NextAsync("tokenRequested");
        await accepted.GiveTokenAsync(TestTokens.Create("alice"));
        await accepted.StateAsync("live", "websocket");

        await using var refused = await StartAsync(api, TestTokens.Bad["expired"]);
        await refused.NextAsync("tokenRequested");
        await refused.GiveTokenAsync(TestTokens.Bad["wrong key"]);
        Assert.InRange((await refused.StateAsync("waiting")).GetProperty("delay").GetDouble(), 1_000, 2_000);
        await refused.NextAsync("tokenRequested");
        await refused.GiveTokenAsync(TestTokens.Bad["wrong issuer"]);
        Assert.Equal("unauthorized", (await refused.NextAsync("failed")).GetProperty("failed").GetString());

        await using var late = await StartAsync(api, TestTokens.Bad["expired"]);
        await late.NextAsync("tokenRequested");
        await late.GiveTokenAsync(TestTokens.Bad["wrong key"]);
        await late.NextAsync("tokenRequested");
        await late.GiveTokenAsync(TestTokens.Create("alice"));
        await late.StateAsync("live", "websocket");

        await using var tokenless = await StartAsync(api, TestTokens.Bad["expired"]);
        await tokenless.NextAsync("tokenRequested");
        await tokenless.GiveTokenAsync(null);
        Assert.Equal("unauthorized", (await tokenless.NextAsync("failed")).GetProperty("failed").GetString());
    }

    [Fact]
    public async Task A_token_of_another_user_is_an_error()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, LongPeerTimeout, configure: Sockets.With(time));
        await using var client = await StartAsync(api, TokenFor(time, "alice"));
        await client.StateAsync("live", "websocket");
        Sockets.Advance(api, time, TimeSpan.FromSeconds(25));
        await client.NextAsync("tokenRequested");
        await client.GiveTokenAsync(TokenFor(time, "bob"));

        Assert.Equal("forbidden", (await client.NextAsync("failed")).GetProperty("failed").GetString());
    }

    private static Task<JavaScriptWatch> StartAsync(TestApi api, string token) =>
        JavaScriptWatch.StartAsync(new { baseUrl = JavaScriptWatch.Base(api), token });

    private static string TokenFor(FakeTimeProvider time, string userId) => TestTokens.Create(userId, payload =>
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        payload["iat"] = now;
        payload["nbf"] = now;
        payload["exp"] = now + 30;
    });
}
