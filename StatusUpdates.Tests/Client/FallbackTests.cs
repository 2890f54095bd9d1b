using System.Net;
using System.Net.WebSockets;
using System.Text;
using StatusUpdates.Client;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client;

/// <summary>Networks that block WebSockets. The gateway plays a proxy that does not support them.</summary>
public sealed class FallbackTests(SharedApi shared) : IClassFixture<SharedApi>
{
    private readonly string _alice = SharedApi.NewUser("alice");

    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData(400)]
    [InlineData(403)]
    [InlineData(404)]
    [InlineData(501)]
    [InlineData(502)]
    public async Task If_the_upgrade_is_refused_polling_delivers_every_update_once_and_in_order(int status)
    {
        var api = await shared.ApiAsync();
        await using var gateway = await Gateway.StartAsync(api.Address);
        gateway.Answer = context => Task.FromResult(Gateway.IsSocket(context) && Gateway.Refuse(context, status));
        for (var i = 0; i < 250; i++)
        {
            await api.CommitAsync(_alice);
        }

        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address, _alice));
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        await reader.ExpectAsync(1, 250);
        Assert.Equal(StatusTransport.LongPolling, reader.Feed.Transport);
        for (var seq = 251; seq <= 270; seq++)
        {
            reader.Begin();
            await api.PublishAsync(_alice);
            await reader.ExpectAsync(seq, seq);
        }

        Assert.Equal(1, gateway.Count("/ws/status"));
    }

    [Fact]
    public async Task A_proxy_that_drops_the_upgrade_header_leads_to_polling()
    {
        var api = await shared.ApiAsync();
        await using var gateway = await Gateway.StartAsync(api.Address);
        gateway.Answer = context =>
        {
            context.Request.Headers.Remove("Upgrade");
            context.Request.Headers.Remove("Connection");
            return Task.FromResult(false);
        };
        await api.PublishAsync(_alice);
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address, _alice));
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        await reader.ExpectAsync(1, 1);
        Assert.Equal(StatusTransport.LongPolling, reader.Feed.Transport);
    }

    [Fact]
    public async Task A_silent_websocket_is_replaced_by_polling()
    {
        var api = await shared.ApiAsync();
        await using var gateway = await Gateway.StartAsync(api.Address);
        gateway.Answer = async context =>
        {
            if (!Gateway.IsSocket(context))
            {
                return false;
            }

            // Switches protocols and then sends nothing.
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await Assert.ThrowsAnyAsync<Exception>(async () => await socket.ReceiveAsync(new byte[1], context.RequestAborted));
            return true;
        };
        await api.PublishAsync(_alice);
        var options = ClientScene.Options(gateway.Address, _alice) with { ConnectTimeout = TimeSpan.FromSeconds(3) };
        using var client = new StatusUpdatesClient(options);
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        await reader.ExpectAsync(1, 1);
        Assert.Equal(StatusTransport.LongPolling, reader.Feed.Transport);
        Assert.Equal(2, gateway.Count("/ws/status"));
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(1011)]
    [InlineData(4000)]
    public async Task A_websocket_that_closes_before_the_servers_first_message_is_replaced_by_polling(int code)
    {
        var api = await shared.ApiAsync();
        await using var gateway = await Gateway.StartAsync(api.Address);
        gateway.Answer = async context =>
        {
            if (!Gateway.IsSocket(context))
            {
                return false;
            }

            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await socket.CloseAsync((WebSocketCloseStatus)code, "", Token);
            return true;
        };
        await api.PublishAsync(_alice);
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address, _alice));
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        await reader.ExpectAsync(1, 1);
        Assert.Equal(StatusTransport.LongPolling, reader.Feed.Transport);
        Assert.Equal(2, gateway.Count("/ws/status"));
    }

    [Theory]
    [InlineData(true, 3)]
    [InlineData(false, 5)]
    public async Task A_websocket_that_is_cut_right_after_opening_is_replaced_by_polling_unless_it_delivered_something(
        bool isBare, int sockets)
    {
        var api = await shared.ApiAsync();
        await using var gateway = await Gateway.StartAsync(api.Address);
        var cuts = 0;
        gateway.Answer = async context =>
        {
            if (!Gateway.IsSocket(context) || Interlocked.Increment(ref cuts) > 4)
            {
                return false;
            }

            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await SendAsync(socket, $$"""{"type":"connected","userId":"{{_alice}}","seq":0}""");
            if (!isBare)
            {
                await SendAsync(socket, """{"type":"position","seq":0}""");
            }

            // The connection ends here, after the messages above and without a close frame.
            return true;
        };
        await api.PublishAsync(_alice);
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address, _alice) with { StableAfter = TimeSpan.FromHours(1) });
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        await reader.ExpectAsync(1, 1);
        Assert.Equal(isBare ? StatusTransport.LongPolling : StatusTransport.WebSocket, reader.Feed.Transport);
        Assert.Equal(sockets, gateway.Count("/ws/status"));
    }

    [Theory]
    [InlineData(302)]
    [InlineData(403)]
    [InlineData(404)]
    [InlineData(410)]
    public async Task Refusals_by_something_in_front_of_the_api_do_not_end_a_feed(int status)
    {
        var api = await shared.ApiAsync();
        await using var gateway = await Gateway.StartAsync(api.Address);
        gateway.Answer = context => Task.FromResult(gateway.Requests.Count <= 6 && Gateway.Refuse(context, status));
        await api.PublishAsync(_alice);
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address, _alice));
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        await reader.ExpectAsync(1, 1);
        Assert.Equal(7, gateway.Requests.Count);
    }

    [Fact]
    public async Task A_refusal_by_the_api_itself_ends_a_polling_feed()
    {
        await using var gateway = await Gateway.StartAsync();
        gateway.Answer = async context =>
        {
            if (Gateway.IsSocket(context))
            {
                return Gateway.Refuse(context, 502);
            }

            context.Response.StatusCode = 403;
            context.Response.ContentType = "application/problem+json";
            await context.Response.Body.WriteAsync("""{"status":403,"title":"Forbidden","success":false,"code":"forbidden"}"""u8.ToArray(), Token);
            return true;
        };
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address));
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        var error = await Assert.ThrowsAsync<StatusUpdatesException>(reader.NextAsync);
        Assert.Equal((HttpStatusCode.Forbidden, "forbidden"), (error.StatusCode, error.Code));
    }

    [Theory]
    [InlineData(404)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task A_failure_that_also_affects_polling_does_not_count_against_the_websocket(int status)
    {
        var api = await shared.ApiAsync();
        await using var gateway = await Gateway.StartAsync(api.Address);
        gateway.Answer = context => Task.FromResult(gateway.Requests.Count <= 4 && Gateway.Refuse(context, status));
        await api.PublishAsync(_alice);
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address, _alice));
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        await reader.ExpectAsync(1, 1);
        Assert.Equal(StatusTransport.WebSocket, reader.Feed.Transport);
        Assert.Equal(
            ["GET /ws/status", "GET /api/v1/status/poll", "GET /ws/status", "GET /api/v1/status/poll", "GET /ws/status"],
            gateway.Requests.Select(request => request.Split('?')[0]));
    }

    [Fact]
    public async Task A_websocket_is_tried_again_later_and_used_if_it_works()
    {
        var api = await shared.ApiAsync();
        await using var gateway = await Gateway.StartAsync(api.Address);
        var isOpen = false;
        gateway.Answer = context => Task.FromResult(!Volatile.Read(ref isOpen) && Gateway.IsSocket(context) && Gateway.Refuse(context, 502));
        var time = new ManualTime();
        var options = ClientScene.Options(gateway.Address, _alice) with { TimeProvider = time };
        using var client = new StatusUpdatesClient(options);
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        async Task StepAsync(long seq)
        {
            await api.PublishAsync(_alice);
            await reader.ExpectAsync(seq, seq);
        }

        await StepAsync(1);
        await StepAsync(2);
        Assert.Equal((StatusTransport.LongPolling, 1), (reader.Feed.Transport, gateway.Count("/ws/status")));

        // Refused again: polling continues, and the wait before the next try doubles.
        time.Advance(options.WebSocketRetryInterval);
        await StepAsync(3);
        Assert.Equal((StatusTransport.LongPolling, 2), (reader.Feed.Transport, gateway.Count("/ws/status")));
        time.Advance(options.WebSocketRetryInterval * 0.9);
        await StepAsync(4);
        Assert.Equal(2, gateway.Count("/ws/status"));

        Volatile.Write(ref isOpen, true);
        time.Advance(options.WebSocketRetryInterval * 2);
        await StepAsync(5);
        Assert.Equal((StatusTransport.WebSocket, 3), (reader.Feed.Transport, gateway.Count("/ws/status")));
        await StepAsync(6);
    }

    [Fact]
    public async Task Polling_starts_at_the_head_reports_a_resync_and_filters_like_a_websocket()
    {
        var api = await shared.ApiAsync();
        await using var gateway = await Gateway.StartAsync(api.Address);
        gateway.Answer = context => Task.FromResult(Gateway.IsSocket(context) && Gateway.Refuse(context, 502));
        await api.PublishManyAsync(_alice, 3);
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address, _alice));
        await using var fromHead = client.Watch().Read();
        await fromHead.ConnectedAsync();
        Assert.Equal(3, fromHead.Feed.Cursor?.Seq);
        await using var ahead = client.Watch(new() { Since = 9 }).Read();
        Assert.Equal(3, Assert.IsType<StatusFeedItem.Resync>(await ahead.NextAsync()).Position.Seq);

        var mine = await api.CommitAsync(_alice);
        await using var filtered = client.Watch(new() { Since = 0, GenerationId = mine.GenerationId }).Read();
        await api.PublishAsync(_alice);
        await fromHead.ExpectAsync(4, 5);
        await ahead.ExpectAsync(4, 5);
        Assert.Equal(mine.GenerationId, (await filtered.NextUpdateAsync()).GenerationId);
        filtered.Begin();
        await Eventually.TrueAsync(() => filtered.Feed.Cursor?.Seq == 5);
    }

    [Fact]
    public async Task A_feed_that_keeps_changing_transport_and_instance_repeats_and_loses_nothing()
    {
        var first = await shared.ApiAsync();
        await using var second = await first.StartAnotherAsync();
        await using var gateway = await Gateway.StartAsync(first.Address);
        await using var proxy = new TcpProxy(gateway.Address.Port);
        var attempts = 0;
        gateway.Answer = context => Task.FromResult(
            Gateway.IsSocket(context) && Interlocked.Increment(ref attempts) % 2 == 0 && Gateway.Refuse(context, 502));
        using var client = new StatusUpdatesClient(ClientScene.Options(ClientScene.AddressOf(proxy), _alice) with
        {
            WebSocketRetryInterval = TimeSpan.FromMilliseconds(1),
        });
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        const int Updates = 400;
        var writing = Task.Run(() => first.PublishManyAsync(_alice, Updates), Token);
        var seen = new HashSet<StatusTransport>();
        for (var seq = 1; seq <= Updates; seq++)
        {
            await reader.ExpectAsync(seq, seq);
            seen.Add(reader.Feed.Transport ?? StatusTransport.WebSocket);
            if (seq % 10 == 0)
            {
                gateway.Upstream = (seq % 20 == 0 ? first : second).Address;
                proxy.Cut();
            }
        }

        await writing;
        Assert.Equal(2, seen.Count);
    }

    [Fact]
    public async Task After_an_empty_answer_that_came_at_once_the_next_poll_waits()
    {
        await using var gateway = await Gateway.StartAsync();
        gateway.Answer = async context =>
        {
            if (Gateway.IsSocket(context))
            {
                return Gateway.Refuse(context, 502);
            }

            context.Response.ContentType = "application/json";
            await context.Response.Body.WriteAsync("""{"success":true,"data":{"items":[],"seq":5,"more":false}}"""u8.ToArray(), Token);
            return true;
        };
        var time = new ManualTime();
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address) with { TimeProvider = time });
        await using var reader = client.Watch(new() { Since = 5 }).Read();
        reader.Begin();
        for (var polls = 1; polls <= 5; polls++)
        {
            var wait = await time.NextWaitAsync(wait => wait <= TimeSpan.FromSeconds(1));
            Assert.Equal((TimeSpan.FromSeconds(1), polls), (wait.DueTime, gateway.Count("/api/v1/status/poll")));
            time.Pass(wait);
        }
    }

    private static Task SendAsync(WebSocket socket, string text) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, Token);
}
