using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using StatusUpdates.Client;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client;

/// <summary>Messages that a server may send but ours never or rarely does. The gateway sends them in its place.</summary>
public sealed class FeedProtocolTests(TestServers servers)
{
    private const string Connected = """{"type":"connected","userId":"alice","seq":0}""";

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task An_update_not_above_the_cursor_is_ignored_in_every_kind_of_message()
    {
        await using var gateway = await Gateway.StartAsync();
        var connections = 0;
        gateway.Answer = context => Interlocked.Increment(ref connections) == 1
            ? SendMessagesAsync(context, Connected, Update(1), Update(1), $$"""{"type":"status_batch","payloads":[{{Payload(1)}},{{Payload(2)}},{{Payload(2)}}]}""", Update(3), Update(1))
            : SendMessagesAsync(context, Connected, Update(2), Update(3), Update(4), """{"type":"position","seq":2}""", Update(4), Update(9), Update(8), Update(10));
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address));
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        await reader.ExpectAsync(1, 4);
        Assert.Equal(9, (await reader.NextUpdateAsync()).Seq);
        await reader.ExpectAsync(10, 10);
        Assert.Equal(["GET /ws/status?since=0&batch=true", "GET /ws/status?since=3&batch=true"], gateway.Requests);
    }

    [Fact]
    public async Task A_close_whose_code_does_not_concern_the_token_is_followed_by_a_reconnect()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var gateway = await Gateway.StartAsync(api.Address);
        await api.PublishAsync("alice");
        var codes = new Queue<int>([1000, 1001, 1011, 4000, 4429]);
        gateway.Answer = async context =>
        {
            if (!codes.TryDequeue(out var code))
            {
                return false;
            }

            return await SendMessagesAsync(context, (WebSocketCloseStatus)code, Connected);
        };
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address));
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        await reader.ExpectAsync(1, 1);
        Assert.Equal((6, 6), (gateway.Count("/ws/status"), gateway.Requests.Count));
    }

    [Fact]
    public async Task An_invalid_message_ends_the_feed_but_one_of_an_unknown_type_does_not()
    {
        await using var gateway = await Gateway.StartAsync();
        gateway.Answer = context => SendMessagesAsync(
            context,
            Connected,
            """{"type":"weather","seq":7,"forecast":["sun"]}""",
            Update(1).Replace("\"seq\"", "\"color\":\"red\",\"seq\"", StringComparison.Ordinal),
            Update(2).Replace("pending", "dreaming", StringComparison.Ordinal));
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address));
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        await reader.ExpectAsync(1, 1);

        var error = await Assert.ThrowsAsync<StatusUpdatesException>(reader.NextAsync);
        Assert.Equal(StatusUpdatesException.UnexpectedAnswer, error.Code);
        Assert.Contains("payload.status", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, reader.Feed.Cursor?.Seq);
    }

    [Theory]
    [InlineData("""{"type":"weather","payload":["sun"]}""")]
    [InlineData("""{"payload":7,"payloads":{"a":1},"type":"weather"}""")]
    [InlineData("""{"type":"weather","seq":"seven"}""")]
    [InlineData("""{"type":"weather","seq":{"from":1,"type":"status_update"}}""")]
    [InlineData("""{"code":404,"message":{"en":"no"},"userId":1,"type":"weather"}""")]
    [InlineData("""{"type":"authenticated","code":200,"seq":"later"}""")]
    [InlineData("""{"type":"pong","message":["hello"]}""")]
    public async Task A_message_of_an_unknown_type_is_ignored_whatever_the_shape_of_its_members(string message)
    {
        await using var gateway = await Gateway.StartAsync();
        gateway.Answer = context => SendMessagesAsync(context, Connected, message, Update(1));
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address));
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        await reader.ExpectAsync(1, 1);
        Assert.Single(gateway.Requests);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"type":7}""")]
    [InlineData("""{"type":"position","seq":"seven"}""")]
    public async Task Text_that_is_not_a_message_ends_the_feed(string message)
    {
        await using var gateway = await Gateway.StartAsync();
        gateway.Answer = context => SendMessagesAsync(context, Connected, message);
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address));
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        var error = await Assert.ThrowsAsync<StatusUpdatesException>(reader.NextAsync);
        Assert.Equal(StatusUpdatesException.UnexpectedAnswer, error.Code);
    }

    private static string Payload(long seq) =>
        $$"""{"generationId":"gen-1","userId":"alice","type":"sora","status":"pending","timestamp":1,"seq":{{seq}}}""";

    private static string Update(long seq) => $$"""{"type":"status_update","payload":{{Payload(seq)}}}""";

    private static Task<bool> SendMessagesAsync(HttpContext context, params string[] messages) =>
        SendMessagesAsync(context, WebSocketCloseStatus.EndpointUnavailable, messages);

    private static async Task<bool> SendMessagesAsync(
        HttpContext context, WebSocketCloseStatus code, params string[] messages)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        foreach (var message in messages)
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, true, Token);
        }

        await socket.CloseAsync(code, "", Token);
        return true;
    }
}
