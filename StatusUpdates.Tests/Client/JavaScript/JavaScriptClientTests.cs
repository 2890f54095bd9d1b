using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client.JavaScript;

/// <summary><c>status-updates.js</c> in Node.js against the API itself.</summary>
public sealed class JavaScriptClientTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Every_update_arrives_once_and_in_order_however_often_connections_are_cut()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var proxy = new TcpProxy(api.Address.Port);
        await using var client = await JavaScriptWatch.StartAsync(api, "alice", since: 0, port: proxy.Port);
        await client.StateAsync("live");
        for (var round = 0; round < 20; round++)
        {
            proxy.LoseAnswers(1);
            for (var i = 1; i <= 5; i++)
            {
                await api.PublishAsync("alice");
            }

            Assert.Equal(Seqs((round * 5) + 1, 5), await client.SeqsAsync(5));
        }

        Assert.Equal(20, proxy.Lost);
        var rest = await client.StopAsync();
        Assert.DoesNotContain(rest, line => line.TryGetProperty("item", out _));
        Assert.Equal(100, rest[^1].GetProperty("seq").GetInt64());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_restart_of_the_API_loses_no_update(bool socket)
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var client = await JavaScriptWatch.StartAsync(api, "alice", since: 0, socket: socket);
        await api.PublishAsync("alice");
        Assert.Equal([1], await client.SeqsAsync(1));

        await api.App.StopAsync(Token);
        await api.CommitAsync("alice");
        await client.StateAsync("waiting");
        await api.CommitAsync("alice");
        await using var restarted = await api.StartAnotherAsync(api.Address);
        Assert.Equal([2, 3], await client.SeqsAsync(2));
        await api.CommitAsync("alice");
        Assert.Equal([4], await client.SeqsAsync(1));

        if (socket)
        {
            Assert.Equal("The server is restarting.", client.States.First(s => s.GetProperty("state").GetString() == "waiting").GetProperty("error").GetString());
        }
    }

    [Fact]
    public async Task If_no_socket_can_be_opened_updates_arrive_by_long_poll()
    {
        await using var api = await TestApi.StartAsync(
            servers, configure: builder => builder.Services.AddSingleton<IStartupFilter>(new NoWebSockets()));
        await api.CommitAsync("alice");
        await using var client = await JavaScriptWatch.StartAsync(api, "alice");
        var live = await client.StateAsync("live");
        Assert.Equal(("long-poll", 1), (live.GetProperty("transport").GetString(), live.GetProperty("seq").GetInt32()));

        for (var i = 0; i < 250; i++)
        {
            await api.PublishAsync("alice");
        }

        Assert.Equal(Seqs(2, 250), await client.SeqsAsync(250));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cursor_outside_the_log_is_reported_as_a_resync_and_the_watch_continues(bool socket)
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.CommitAsync("alice");
        await using var client = await JavaScriptWatch.StartAsync(api, "alice", since: 7, socket: socket);
        var resync = await client.NextAsync("item");
        var cursor = (await api.Database.Log.ReadBoundsAsync("alice", Token)).Head.ToString();
        await api.PublishAsync("alice");

        Assert.Equal(
            $$"""{"item":{"type":"resync","seq":1,"cursor":"{{cursor}}"},"seq":1,"cursor":"{{cursor}}"}""", resync.GetRawText());
        Assert.Equal([2], await client.SeqsAsync(1));
    }

    [Fact]
    public async Task A_slow_consumer_closes_its_socket_and_loses_nothing()
    {
        const int Updates = 6_000;
        await using var api = await TestApi.StartAsync(servers);
        await FillLogAsync(api, "alice", Updates);
        await using var client = await JavaScriptWatch.StartAsync(
            new { baseUrl = JavaScriptWatch.Base(api), token = TestTokens.Create("alice"), since = 0, take = 1 });
        var first = await client.NextAsync("item");
        Assert.Equal(1, first.GetProperty("seq").GetInt32());

        // The consumer has taken one update and thousands are due: the client fills its buffer, then closes the socket.
        await Eventually.TrueAsync(() => Sockets.Registry(api).Count == 0);
        await client.LetTakeAsync(Updates);
        Assert.Equal(Seqs(2, Updates - 1), await client.SeqsAsync(Updates - 1));

        // The first socket delivered a full buffer, at most one message of 256 above that, and the update that was taken.
        var delivered = client.Lines
            .SkipWhile(line => !line.TryGetProperty("item", out _))
            .TakeWhile(line => line.TryGetProperty("item", out _))
            .Count();
        Assert.InRange(delivered, 1_001, 1_000 + 256 + 1);
    }

    [Fact]
    public async Task A_filtered_watch_gets_only_its_generation_over_either_transport()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.CommitAsync("alice");
        var mine = await api.CommitAsync("alice");
        await api.CommitAsync("alice");
        await using var client = await JavaScriptWatch.StartAsync(
            new { baseUrl = JavaScriptWatch.Base(api), token = TestTokens.Create("alice"), since = 0, filter = mine.GenerationId });
        await using var poller = await JavaScriptWatch.StartAsync(
            new { baseUrl = JavaScriptWatch.Base(api), token = TestTokens.Create("alice"), since = 0, filter = mine.GenerationId, socket = false });

        Assert.Equal([2], await client.SeqsAsync(1));
        Assert.Equal([2], await poller.SeqsAsync(1));
        Assert.Equal(3, (await poller.StopAsync())[^1].GetProperty("seq").GetInt32());
    }

    [Fact]
    public async Task An_update_that_is_not_in_the_log_is_passed_on_and_does_not_move_the_cursor()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var client = await JavaScriptWatch.StartAsync(api, "alice");
        await client.StateAsync("live", "websocket");
        await api.App.Services.GetRequiredService<IConnectionMultiplexer>().GetSubscriber().PublishAsync(
            RedisChannel.Literal(api.Redis.ChannelPrefix + "generation:user:alice"),
            """{"generationId":"gen-x","userId":"alice","type":"sora","status":"completed","timestamp":1700000000000}""");
        var line = await client.NextAsync("item");
        await api.PublishAsync("alice");

        Assert.Equal("gen-x", line.GetProperty("item").GetProperty("update").GetProperty("generationId").GetString());
        Assert.Equal(0, line.GetProperty("seq").GetInt32());
        Assert.Equal([1], await client.SeqsAsync(1));
    }

    private static IEnumerable<long> Seqs(int first, int count) => Enumerable.Range(first, count).Select(i => (long)i);

    private static async Task FillLogAsync(TestApi api, string userId, int updates)
    {
        await api.Database.ExecuteAsync(
            $"""
            INSERT INTO status_events (user_id, seq, generation_id, type, status, occurred_at, update_id)
            SELECT '{userId}', i, 'gen-' || i, 'chat', 'pending', clock_timestamp(), gen_random_uuid() FROM generate_series(1, {updates}) i;
            INSERT INTO user_streams (user_id, last_seq, oldest_seq, last_check)
            SELECT user_id, seq, 1, log_check(update_id) FROM status_events WHERE user_id = '{userId}' AND seq = {updates}
            """,
            Token);
    }

    // Acts as a proxy that does not support WebSockets.
    private sealed class NoWebSockets : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use((context, rest) =>
            {
                if (!context.Request.Path.StartsWithSegments("/ws", StringComparison.Ordinal))
                {
                    return rest(context);
                }

                context.Response.StatusCode = StatusCodes.Status502BadGateway;
                return Task.CompletedTask;
            });
            next(app);
        };
    }
}
