using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;
using StatusUpdates.Api.Transports.WebSockets;
using StatusUpdates.Client;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client;

public sealed class FeedTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_feed_yields_the_updates_in_the_log_and_then_new_ones()
    {
        await using var api = await TestApi.StartAsync(servers);
        for (var i = 0; i < 300; i++)
        {
            await api.CommitAsync("alice");
        }

        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        await reader.ExpectAsync(1, 300);
        var update = await api.PublishAsync("alice");

        Assert.Equal(update with { TraceParent = null, After = null }, await reader.NextUpdateAsync());
        Assert.Equal(StatusTransport.WebSocket, reader.Feed.Transport);
    }

    [Fact]
    public async Task Without_a_cursor_a_feed_starts_at_the_head_and_a_reconnect_misses_nothing_since()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var proxy = new TcpProxy(api.Address.Port);
        await api.PublishManyAsync("alice", 3);
        using var client = new StatusUpdatesClient(ClientScene.Options(ClientScene.AddressOf(proxy)));
        await using var reader = client.Watch().Read();
        await reader.ConnectedAsync();
        Assert.Equal(3, reader.Feed.Cursor?.Seq);

        proxy.Cut();
        await api.PublishManyAsync("alice", 2);
        await reader.ExpectAsync(4, 5);
    }

    [Fact]
    public async Task A_feed_whose_loop_was_left_closes_its_socket_and_resumes_from_its_cursor()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.PublishManyAsync("alice", 5);
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        var feed = client.Watch(new() { Since = 0 });
        await foreach (var item in feed.WithCancellation(Token))
        {
            if (item is StatusFeedItem.Updated { Update.Seq: 3 })
            {
                break;
            }
        }

        Assert.Equal(3, feed.Cursor?.Seq);
        Assert.Null(feed.Transport);
        await Eventually.TrueAsync(() => Sockets.Registry(api).Count == 0);
        await using var reader = feed.Read();
        await reader.ExpectAsync(4, 5);
    }

    [Fact]
    public async Task A_feed_allows_one_enumeration_at_a_time()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.PublishAsync("alice");
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        await reader.ExpectAsync(1, 1);
        await using var second = reader.Feed.GetAsyncEnumerator(Token);

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await second.MoveNextAsync());
        await api.PublishAsync("alice");
        await reader.ExpectAsync(2, 2);
    }

    [Fact]
    public async Task Cancellation_ends_an_idle_feed_and_the_server_sees_it_close()
    {
        await using var api = await TestApi.StartAsync(servers);
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using var items = client.Watch().GetAsyncEnumerator(stop.Token);
        var waiting = items.MoveNextAsync().AsTask();
        await Eventually.TrueAsync(() => Sockets.Registry(api).Connections.Any());
        var connection = Sockets.Registry(api).Connections.Single();
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(TestTime.Patience, Token));
        await connection.Ended.WaitAsync(Token);
    }

    [Fact]
    public async Task Cancellation_ends_a_feed_that_is_waiting_to_reconnect()
    {
        var time = new ManualTime();
        var options = ClientScene.Options(new("http://127.0.0.1:9")) with { TimeProvider = time };
        using var client = new StatusUpdatesClient(options);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using var items = client.Watch().GetAsyncEnumerator(stop.Token);
        var waiting = items.MoveNextAsync().AsTask();
        await time.NextWaitAsync(wait => wait <= options.ReconnectMaxDelay);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task A_cursor_that_the_log_cannot_serve_is_reported_as_a_resync_and_the_feed_continues()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.PublishManyAsync("alice", 5);
        await api.Database.ExecuteAsync(
            "DELETE FROM status_events WHERE seq <= 3; UPDATE user_streams SET oldest_seq = 4", Token);
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        await using var behind = client.Watch(new() { Since = 1 }).Read();
        await using var ahead = client.Watch(new() { Since = 77 }).Read();
        await using var inside = client.Watch(new() { Since = 3 }).Read();

        Assert.Equal(5, Assert.IsType<StatusFeedItem.Resync>(await behind.NextAsync()).Position.Seq);
        Assert.Equal(5, Assert.IsType<StatusFeedItem.Resync>(await ahead.NextAsync()).Position.Seq);
        Assert.Equal(5, ahead.Feed.Cursor?.Seq);
        await inside.ExpectAsync(4, 5);
        await api.PublishAsync("alice");
        await behind.ExpectAsync(6, 6);
        await ahead.ExpectAsync(6, 6);
        await inside.ExpectAsync(6, 6);
    }

    [Fact]
    public async Task The_plain_sequence_of_updates_reports_a_resync_in_order()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.PublishManyAsync("alice", 2);
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        var seen = new List<string>();
        await foreach (var update in client.WatchAsync(
            async (position, cancellationToken) =>
            {
                var page = await client.ListAsync(cancellationToken: cancellationToken);
                seen.Add($"resync {position.Seq}, {page.Total} read");
                await api.PublishAsync("alice");
            },
            new() { Since = 9 },
            Token))
        {
            seen.Add($"update {update.Seq}");
            break;
        }

        Assert.Equal(["resync 2, 2 read", "update 3"], seen);
    }

    [Fact]
    public async Task A_filtered_feed_yields_one_generation_and_its_cursor_advances_past_the_others()
    {
        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["Gateway:Connections:HeartbeatInterval"] = "00:00:01" });
        await api.CommitAsync("alice");
        var mine = await api.CommitAsync("alice");
        await api.PublishManyAsync("alice", 2);
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        await using var reader = client.Watch(new() { Since = 0, GenerationId = mine.GenerationId }).Read();
        Assert.Equal(2, (await reader.NextUpdateAsync()).Seq);

        reader.Begin();
        await Eventually.TrueAsync(() => reader.Feed.Cursor?.Seq == 4);
        var result = await api.Database.CreateCommands().CancelAsync("alice", mine.GenerationId, cancellationToken: Token);
        await api.AnnounceAsync(result.Update!);
        Assert.Equal((5, GenerationStatus.Canceled), await reader.NextUpdateAsync() is var last ? (last.Seq, last.Status) : default);
    }

    [Fact]
    public async Task An_update_that_is_not_in_the_log_is_yielded_and_does_not_move_the_cursor()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.PublishAsync("alice");
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        await using var reader = client.Watch().Read();
        await reader.ConnectedAsync();
        await api.App.Services.GetRequiredService<IConnectionMultiplexer>().GetSubscriber().PublishAsync(
            RedisChannel.Literal(api.Redis.ChannelPrefix + "generation:user:alice"),
            """{"generationId":"gen-x","userId":"alice","type":"sora","status":"completed","timestamp":1700000000000}""");

        var update = await reader.NextUpdateAsync();
        Assert.Equal(("gen-x", null), (update.GenerationId, update.Seq));
        Assert.Equal(1, reader.Feed.Cursor?.Seq);
        await api.PublishAsync("alice");
        await reader.ExpectAsync(2, 2);
    }

    [Fact]
    public async Task A_paused_reader_does_not_read_ahead_and_misses_nothing()
    {
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.SmallBuffers);
        using var handler = new SocketsHttpHandler { ConnectCallback = ConnectWithSmallBufferAsync };
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address) with { HttpMessageHandler = handler });
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        await api.PublishAsync("alice");
        await reader.ExpectAsync(1, 1);
        var connection = Assert.IsType<WebSocketConnection>(Assert.Single(Sockets.Registry(api).Connections));
        await using var healthy = await SocketClient.ConnectAsync(api, "alice");
        const int Step = 50;
        var head = 1;
        LogPosition before;
        do
        {
            before = connection.Position;
            await api.PublishManyAsync("alice", Step);
            await healthy.SeqsAsync(Step);
            head += Step;
        }
        while (!connection.IsWriting || connection.Position != before);

        await reader.ExpectAsync(2, head);
    }

    private static async ValueTask<Stream> ConnectWithSmallBufferAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
        return new NetworkStream(socket, ownsSocket: true);
    }
}
