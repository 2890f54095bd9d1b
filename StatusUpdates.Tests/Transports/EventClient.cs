using System.Net;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

/// <summary>A client of the event streams. It uses the framework's own parser, which decides what an event is.</summary>
internal sealed class EventClient : IAsyncDisposable
{
    public const string All = "/api/v1/status/stream";

    private readonly HttpResponseMessage _response;
    private readonly SseParser<string> _parser;
    private readonly IAsyncEnumerator<SseItem<string>> _events;

    private EventClient(HttpResponseMessage response, Stream body)
    {
        _response = response;
        _parser = SseParser.Create(body, static (_, data) => Encoding.UTF8.GetString(data));
        _events = _parser.EnumerateAsync(TestTime.Token).GetAsyncEnumerator(TestTime.Token);
    }

    private static CancellationToken Token => TestTime.Token;

    /// <summary>What an EventSource would resume with.</summary>
    public string LastEventId => _parser.LastEventId;

    public TimeSpan Retry => _parser.ReconnectionInterval;

    public HttpResponseMessage Response => _response;

    /// <summary>The seq in <c>connected</c>.</summary>
    public long Start { get; private set; }

    /// <summary>Connects and reads <c>connected</c>.</summary>
    public static Task<EventClient> ConnectAsync(
        TestApi api, string userId, string path = All, string? lastEventId = null, string? token = null) =>
        ConnectAsync(api.CreateClient(token ?? TestTokens.Create(userId)), userId, path, lastEventId);

    public static async Task<EventClient> ConnectAsync(HttpClient http, string userId, string path, string? lastEventId = null)
    {
        var response = await SendAsync(http, path, lastEventId);
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{path}: {(int)response.StatusCode}");
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.ToString());
        var client = new EventClient(response, await response.Content.ReadAsStreamAsync(Token));
        var connected = await client.NextAsync();
        Assert.Equal("connected", connected.EventType);
        var data = JsonNode.Parse(connected.Data)!;
        Assert.Equal(userId, (string?)data["userId"]);
        client.Start = (long)data["seq"]!;
        Assert.Equal((string?)data["cursor"], client.LastEventId);
        return client;
    }

    public static Task<HttpResponseMessage> SendAsync(TestApi api, string? token, string path, string? lastEventId = null) =>
        SendAsync(api.CreateClient(token), path, lastEventId);

    public static async Task<HttpResponseMessage> SendAsync(HttpClient http, string path, string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (lastEventId is not null)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        }

        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
    }

    /// <summary>The next event; fails if the stream ends instead. Skips position events, which come at intervals.</summary>
    public async Task<SseItem<string>> NextAsync()
    {
        Assert.True(await MoveAsync(), "the stream ended");
        return _events.Current;
    }

    /// <summary>The payload of the next event, which must be an update with its cursor as id.</summary>
    public async Task<JsonNode> NextUpdateAsync()
    {
        var item = await NextAsync();
        Assert.Equal("status_update", item.EventType);
        var payload = JsonNode.Parse(item.Data)!;
        Assert.Equal((string?)payload["cursor"], item.EventId);

        return payload;
    }

    public async Task<long> NextSeqAsync() => (long)(await NextUpdateAsync())["seq"]!;

    /// <summary>The seq of the next event, which must be a resync.</summary>
    public async Task<long> NextResyncAsync()
    {
        var item = await NextAsync();
        Assert.Equal("resync", item.EventType);
        var data = JsonNode.Parse(item.Data)!;
        Assert.Equal((string?)data["cursor"], item.EventId);
        return (long)data["seq"]!;
    }

    /// <summary>Whether the stream ends now.</summary>
    public async Task<bool> EndsAsync() => !await MoveAsync();

    public async ValueTask DisposeAsync()
    {
        _response.Dispose();
        try
        {
            await _events.DisposeAsync();
        }
        catch (NotSupportedException)
        {
            // A read is still in progress: it ends with the response.
        }
    }

    private async Task<bool> MoveAsync()
    {
        while (await _events.MoveNextAsync())
        {
            if (_events.Current.EventType != "position")
            {
                return true;
            }

            Assert.Equal((string?)JsonNode.Parse(_events.Current.Data)!["cursor"], _events.Current.EventId);
        }

        return false;
    }
}
