using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

/// <summary>A simple client of <c>/ws/status</c>.</summary>
internal sealed class SocketClient : IAsyncDisposable
{
    private readonly ClientWebSocket _socket;
    private readonly byte[] _buffer = new byte[256 * 1024];

    private SocketClient(ClientWebSocket socket) => _socket = socket;

    private static CancellationToken Token => TestTime.Token;

    public static Uri Address(TestApi api, string query = "") => Address(api.Address, query);

    // "http" becomes "ws", and "https" "wss".
    private static Uri Address(Uri api, string query) => new("ws" + api.ToString()["http".Length..].TrimEnd('/') + "/ws/status" + query);

    /// <summary>Connects and reads <c>connected</c>.</summary>
    public static Task<SocketClient> ConnectAsync(TestApi api, string userId, string query = "", string? token = null) =>
        ConnectAsync(api.Address, userId, token ?? TestTokens.Create(userId), query);

    public static async Task<SocketClient> ConnectAsync(Uri api, string userId, string token, string query = "")
    {
        var client = await OpenAsync(api, token, query);
        var connected = await client.NextAsync();
        Assert.Equal("connected", (string?)connected["type"]);
        Assert.Equal(userId, (string?)connected["userId"]);
        client.Start = (long)connected["seq"]!;
        return client;
    }

    /// <param name="api">The server.</param>
    /// <param name="token">For the header; empty for none, if the query has a credential.</param>
    /// <param name="query">The query of the address.</param>
    /// <param name="origin">For the header; null for none.</param>
    public static Task<SocketClient> OpenAsync(TestApi api, string token, string query = "", string? origin = null) =>
        OpenAsync(api.Address, token, query, origin);

    private static async Task<SocketClient> OpenAsync(Uri api, string token, string query = "", string? origin = null)
    {
        var socket = new ClientWebSocket();
        if (token.Length > 0)
        {
            socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
        }

        if (origin is not null)
        {
            socket.Options.SetRequestHeader("Origin", origin);
        }

        try
        {
            await socket.ConnectAsync(Address(api, query), Token);
            return new SocketClient(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The seq in <c>connected</c>.</summary>
    public long Start { get; private set; }

    /// <summary>The next message; fails if the server closes instead.</summary>
    public async Task<JsonObject> NextAsync()
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(Token);
        timeout.CancelAfter(TestTime.Patience);
        var length = 0;
        while (true)
        {
            var result = await _socket.ReceiveAsync(_buffer.AsMemory(length), timeout.Token);
            Assert.True(result.MessageType == WebSocketMessageType.Text, $"closed: {_socket.CloseStatus} {_socket.CloseStatusDescription}");
            length += result.Count;
            if (result.EndOfMessage)
            {
                return JsonNode.Parse(_buffer.AsSpan(0, length))!.AsObject();
            }
        }
    }

    /// <summary>The seq of the next message, which must be an update.</summary>
    public async Task<long> NextSeqAsync() => (long)(await NextPayloadAsync())["seq"]!;

    public async Task<JsonObject> NextPayloadAsync()
    {
        var message = await NextAsync();
        Assert.True((string?)message["type"] == "status_update", message.ToJsonString());
        return message["payload"]!.AsObject();
    }

    /// <summary>The seqs of the next updates.</summary>
    public async Task<long[]> SeqsAsync(int count)
    {
        var seqs = new long[count];
        for (var i = 0; i < count; i++)
        {
            seqs[i] = await NextSeqAsync();
        }

        return seqs;
    }

    /// <summary>Reads until the server closes and returns the close code.</summary>
    public async Task<int> CloseCodeAsync()
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(Token);
        timeout.CancelAfter(TestTime.Patience);
        while ((await _socket.ReceiveAsync(_buffer.AsMemory(), timeout.Token)).MessageType != WebSocketMessageType.Close)
        {
        }

        return (int)_socket.CloseStatus!.Value;
    }

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true);

    public Task SendAsync(byte[] bytes, WebSocketMessageType type, bool isLast) => _socket.SendAsync(bytes, type, isLast, Token);

    public Task CloseAsync() => _socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", Token);

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Writes as a worker does: commit, then announce.</summary>
internal static class Writers
{
    /// <summary>Commits an update of a new generation without announcing it.</summary>
    public static async Task<StatusUpdate> CommitAsync(this TestApi api, string userId) =>
        (await api.Database.SubmitAsync(userId, cancellationToken: TestTime.Token)).Update!;

    public static async Task<StatusUpdate> PublishAsync(this TestApi api, string userId)
    {
        var update = await api.CommitAsync(userId);
        await api.AnnounceAsync(update);
        return update;
    }

    /// <summary>Removes a user's updates before this position, as retention does.</summary>
    public static Task TrimAsync(this TestApi api, string userId, long oldest) => api.Database.ExecuteAsync(
        $"""
        WITH s AS (UPDATE user_streams SET oldest_seq = {oldest} WHERE user_id = '{userId}')
        DELETE FROM status_events WHERE user_id = '{userId}' AND seq < {oldest}
        """,
        TestTime.Token);

    public static Task AnnounceAsync(this TestApi api, params StatusUpdate[] updates) =>
        ((StatusPublisher)api.App.Services.GetService(typeof(StatusPublisher))!).TryPublishAsync(updates);
}
