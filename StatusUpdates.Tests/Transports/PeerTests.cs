using System.Net.Sockets;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

/// <summary>Peers that are silent, slow or gone, and a server that stops.</summary>
public sealed class PeerTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_silent_peer_is_pinged_and_then_considered_dead_and_one_that_answers_is_not()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));
        using var silent = await RawSocket.ConnectAsync(api, "alice");
        var dead = await Sockets.OnlyAsync(api);
        using var alive = await RawSocket.ConnectAsync(api, "bob");
        await Sockets.CountAsync(api, 2);
        for (var round = 0; round < 2; round++)
        {
            Sockets.Advance(api, time, TimeSpan.FromSeconds(14));
            Assert.Equal(0x89, (await alive.FrameAsync()).FirstByte);
            if (round == 0)
            {
                // Read before the connection is cut, which may discard unread data.
                Assert.Equal(0x89, (await silent.FrameAsync()).FirstByte);
            }

            // The response to the second message shows that the pong before it was received.
            await alive.SendAsync([.. RawSocket.Frame(0x8A, []), .. RawSocket.Text("""{"type":"ping"}""")]);
            Assert.Equal("pong", (string?)(await alive.MessageAsync())["type"]);
        }

        await dead.Ended.WaitAsync(Token);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(14));
        Assert.Equal(0x89, (await alive.FrameAsync()).FirstByte);
    }

    [Fact]
    public async Task A_stalled_reader_costs_only_its_connection_and_continues_where_it_was()
    {
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.SmallBuffers);
        using var slow = await RawSocket.ConnectAsync(api, "alice", receiveBuffer: 4096);
        var blocked = await Sockets.OnlyAsync(api);
        await using var healthy = await SocketClient.ConnectAsync(api, "alice");
        await Sockets.BlockAsync(api, "alice", healthy, blocked);
        const int More = 300;
        for (var i = 0; i < More; i++)
        {
            await api.PublishAsync("alice");
        }

        await healthy.SeqsAsync(More);
        var head = (await api.Database.Log.ReadBoundsAsync("alice", Token)).Last;
        for (var seq = 1; seq <= head; seq++)
        {
            Assert.Equal(seq, (long)(await slow.MessageAsync())["payload"]!["seq"]!);
        }
    }

    [Fact]
    public async Task A_peer_that_reads_nothing_is_aborted_by_the_send_timeout_and_not_by_its_missing_pongs()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(
            servers,
            configure: builder =>
            {
                Sockets.With(time)(builder);
                Sockets.SmallBuffers(builder);
            });
        using var slow = await RawSocket.ConnectAsync(api, "alice", receiveBuffer: 4096);
        var blocked = await Sockets.OnlyAsync(api);
        await using var healthy = await SocketClient.ConnectAsync(api, "alice");
        await Sockets.BlockAsync(api, "alice", healthy, blocked);
        for (var elapsed = 0; elapsed < 29; elapsed++)
        {
            Sockets.Advance(api, time, TimeSpan.FromSeconds(1));
            Assert.False(blocked.Ended.IsCompleted);
        }

        Sockets.Advance(api, time, TimeSpan.FromSeconds(2));
        await blocked.Ended.WaitAsync(Token);
    }

    [Fact]
    public async Task A_stop_tells_every_client_to_reconnect_before_the_server_ends()
    {
        await using var api = await TestApi.StartAsync(servers);
        var clients = new List<SocketClient>();
        for (var i = 0; i < 30; i++)
        {
            clients.Add(await SocketClient.ConnectAsync(api, $"user-{i % 3}"));
        }

        var codes = clients.Select(async client =>
        {
            var code = await client.CloseCodeAsync();
            await client.CloseAsync();
            return code;
        }).ToArray();
        await api.App.StopAsync(Token);

        Assert.All(await Task.WhenAll(codes), code => Assert.Equal(1001, code));
        Assert.Equal(0, Sockets.Registry(api).Count);
        await Assert.ThrowsAnyAsync<Exception>(() => SocketClient.ConnectAsync(api, "late"));
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_peer_that_vanishes_without_closing_is_released()
    {
        await using var api = await TestApi.StartAsync(servers);
        using var client = await RawSocket.ConnectAsync(api, "alice");
        var connection = await Sockets.OnlyAsync(api);
        client.Socket.LingerState = new LingerOption(true, 0);
        client.Dispose();

        await connection.Ended.WaitAsync(Token);
        await Eventually.TrueAsync(() => Sockets.Registry(api).Count == 0);
    }
}
