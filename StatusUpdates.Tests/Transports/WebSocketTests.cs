using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;
using StatusUpdates.Api.Transports;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

public sealed class WebSocketTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    public static TheoryData<RedisFlavor> Flavors => [RedisFlavor.RedisServer, RedisFlavor.Garnet];

    [Theory]
    [MemberData(nameof(Flavors))]
    public async Task A_connection_with_a_token_gets_its_user_and_position_and_then_updates_as_they_happen(RedisFlavor flavor)
    {
        await using var api = await StartAsync(flavor);
        await api.PublishAsync("alice");
        await using var client = await SocketClient.ConnectAsync(api, "alice");
        Assert.Equal(1, client.Start);
        var update = await api.PublishAsync("alice");
        var message = await client.NextAsync();

        Assert.Equal(["type", "payload"], message.Select(member => member.Key));
        Assert.Equal("status_update", (string?)message["type"]);
        var expected = JsonNode.Parse(StatusJson.Encode(update with { TraceParent = null, After = null }));
        Assert.True(JsonNode.DeepEquals(expected, message["payload"]), message.ToJsonString());
    }

    [Theory]
    [MemberData(nameof(Flavors))]
    public async Task All_connections_of_a_user_get_every_update_and_those_of_another_user_none(RedisFlavor flavor)
    {
        await using var api = await StartAsync(flavor);
        await using var one = await SocketClient.ConnectAsync(api, "alice");
        await using var two = await SocketClient.ConnectAsync(api, "alice");
        await using var other = await SocketClient.ConnectAsync(api, "bob");
        for (var i = 0; i < 20; i++)
        {
            await api.PublishAsync("alice");
        }

        var bobs = await api.PublishAsync("bob");

        Assert.Equal(Enumerable.Range(1, 20).Select(i => (long)i), await one.SeqsAsync(20));
        Assert.Equal(Enumerable.Range(1, 20).Select(i => (long)i), await two.SeqsAsync(20));
        Assert.Equal(bobs.GenerationId, (string?)(await other.NextPayloadAsync())["generationId"]);
    }

    [Theory]
    [MemberData(nameof(Flavors))]
    public async Task A_closed_connection_leaves_nothing_behind_but_a_lingering_feed(RedisFlavor flavor)
    {
        await using var api = await StartAsync(flavor);
        var registry = (ConnectionRegistry)api.App.Services.GetService(typeof(ConnectionRegistry))!;
        await using var closed = await SocketClient.ConnectAsync(api, "alice");
        await using var cut = await SocketClient.ConnectAsync(api, "alice");
        var connections = registry.Connections.ToArray();
        Assert.Equal(2, connections.Length);

        await closed.CloseAsync();
        await cut.DisposeAsync();
        await Task.WhenAll(connections.Select(connection => connection.Ended)).WaitAsync(Token);

        await Eventually.TrueAsync(() => registry.Count == 0);
        Assert.Empty(registry.Connections);
    }

    [Theory]
    [MemberData(nameof(Flavors))]
    public async Task A_publisher_that_only_knows_the_original_format_reaches_the_users_connections(RedisFlavor flavor)
    {
        await using var api = await StartAsync(flavor);
        await using var client = await SocketClient.ConnectAsync(api, "alice");
        await api.App.Services.GetRequiredService<IConnectionMultiplexer>().GetSubscriber().PublishAsync(
            RedisChannel.Literal(Prefix(api) + "generation:user:alice"),
            """{"generationId":"gen-x","userId":"alice","type":"sora","status":"completed","timestamp":1700000000000,"metadata":{"resultUrls":["https://r.test/1"],"custom":true}}""");
        var payload = await client.NextPayloadAsync();
        await api.PublishAsync("alice");

        Assert.Equal("gen-x", (string?)payload["generationId"]);
        Assert.False(payload.ContainsKey("seq"));
        Assert.True((bool)payload["metadata"]!["custom"]!);
        Assert.Equal(1, await client.NextSeqAsync());
    }

    [Fact]
    public async Task A_cursor_gets_what_it_missed_and_then_live_updates()
    {
        await using var api = await StartAsync();
        for (var i = 0; i < 300; i++)
        {
            await api.CommitAsync("alice");
        }

        await using var client = await SocketClient.ConnectAsync(api, "alice", "?since=3");
        await api.PublishAsync("alice");

        Assert.Equal(3, client.Start);
        Assert.Equal(Enumerable.Range(4, 298).Select(i => (long)i), await client.SeqsAsync(298));
    }

    [Fact]
    public async Task A_cursor_outside_the_log_gets_a_resync_and_continues_from_the_head()
    {
        await using var api = await StartAsync();
        await api.CommitAsync("alice");
        await using var client = await SocketClient.ConnectAsync(api, "alice", "?since=7");
        var resync = await client.NextAsync();
        await api.PublishAsync("alice");

        var first = (await api.Database.Log.ReadAfterAsync("alice", 0, 1, Token)).Items[0];
        Assert.Equal($$"""{"type":"resync","seq":1,"cursor":"{{first.Cursor}}"}""", resync.ToJsonString());
        Assert.Equal(2, await client.NextSeqAsync());
    }

    [Fact]
    public async Task With_batch_updates_that_are_due_together_are_sent_as_one_message()
    {
        await using var api = await StartAsync();
        for (var i = 0; i < 50; i++)
        {
            await api.CommitAsync("alice");
        }

        await using var client = await SocketClient.ConnectAsync(api, "alice", "?since=0&batch=true");
        var seqs = new List<long>();
        var messages = 0;
        while (seqs.Count < 50)
        {
            var message = await client.NextAsync();
            messages++;
            seqs.AddRange((string?)message["type"] == "status_batch"
                ? message["payloads"]!.AsArray().Select(payload => (long)payload!["seq"]!)
                : [(long)message["payload"]!["seq"]!]);
        }

        Assert.Equal(Enumerable.Range(1, 50).Select(i => (long)i), seqs);
        Assert.InRange(messages, 1, 10);
    }

    [Fact]
    public async Task With_generationId_only_that_generation_is_sent_and_the_position_is_reported()
    {
        await using var api = await StartAsync(settings: new() { ["Gateway:Connections:HeartbeatInterval"] = "00:00:01" });
        await api.CommitAsync("alice");
        var mine = await api.CommitAsync("alice");
        await api.CommitAsync("alice");
        await using var client = await SocketClient.ConnectAsync(api, "alice", $"?since=0&generationId={mine.GenerationId}");

        Assert.Equal(2, await client.NextSeqAsync());
        var head = (await api.Database.Log.ReadBoundsAsync("alice", Token)).Head;
        Assert.Equal($$"""{"type":"position","seq":3,"cursor":"{{head}}"}""", (await client.NextAsync()).ToJsonString());
    }

    [Fact]
    public async Task A_ping_is_answered_and_an_invalid_message_gets_an_error_and_the_socket_stays_open()
    {
        await using var api = await StartAsync();
        await using var client = await SocketClient.ConnectAsync(api, "alice");
        await client.SendAsync("""{"type":"ping"}""");
        Assert.Equal("""{"type":"pong"}""", (await client.NextAsync()).ToJsonString());
        foreach (var bad in new[] { "hello", "null", "[]", "{}", """{"type":"subscribe"}""", """{"type":7}""", """{"type":"authenticate"}""", "", new string('[', 4096) })
        {
            await client.SendAsync(bad);
            var error = await client.NextAsync();
            Assert.Equal("error", (string?)error["type"]);
            Assert.NotEmpty((string)error["code"]!);
            Assert.NotEmpty((string)error["message"]!);
        }

        await client.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (string?)(await client.NextAsync())["type"]);
    }

    [Fact]
    public async Task A_burst_of_updates_while_connections_open_causes_no_gap_and_no_repeat()
    {
        await using var api = await StartAsync();
        const int Updates = 400;
        var writing = Task.Run(
            async () =>
            {
                for (var i = 0; i < Updates; i++)
                {
                    await api.PublishAsync("alice");
                }
            },
            Token);
        var reading = Enumerable.Range(0, 30).Select(async n =>
        {
            // Some reconnect in between, with their positions.
            var have = 0L;
            while (have < Updates)
            {
                await using var client = await SocketClient.ConnectAsync(api, "alice", n % 2 == 0 || have > 0 ? $"?since={have}" : "");
                have = client.Start;
                for (var i = 0; i < 20 + n && have < Updates; i++)
                {
                    Assert.Equal(have + 1, await client.NextSeqAsync());
                    have++;
                }
            }
        });
        await Task.WhenAll([writing, .. reading]);
    }

    [Fact]
    public async Task A_killed_and_restarted_Redis_needs_no_reconnect_and_loses_nothing()
    {
        await using var redis = await RedisServer.StartAsync(new() { Flavor = RedisFlavor.Auto }, Token);
        await using var api = await StartAsync(settings: new() { ["ConnectionStrings:redis"] = redis.ConnectionString });
        await using var client = await SocketClient.ConnectAsync(api, "alice");
        await api.PublishAsync("alice");
        Assert.Equal(1, await client.NextSeqAsync());

        await redis.KillAsync();
        await api.PublishAsync("alice");
        Assert.Equal(2, await client.NextSeqAsync());
        await using var newcomer = await SocketClient.ConnectAsync(api, "alice");
        await using var otherUser = await SocketClient.ConnectAsync(api, "bob");
        await api.PublishAsync("bob");
        Assert.Equal(1, await otherUser.NextSeqAsync());

        await redis.RestartAsync(Token);
        for (var seq = 3; seq < 20; seq++)
        {
            await api.PublishAsync("alice");
            Assert.Equal(seq, await client.NextSeqAsync());
            Assert.Equal(seq, await newcomer.NextSeqAsync());
        }
    }

    private static string Prefix(TestApi api) => api.App.Configuration["StatusMessaging:ChannelPrefix"]!;

    private async Task<TestApi> StartAsync(RedisFlavor flavor = RedisFlavor.Auto, Dictionary<string, string?>? settings = null)
    {
        Assert.SkipWhen(flavor == RedisFlavor.RedisServer && ToolPath.Find("redis-server") is null, "redis-server is not installed");
        return await TestApi.StartAsync(servers, settings, flavor: flavor);
    }
}
