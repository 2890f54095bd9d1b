using System.Globalization;
using System.Net.WebSockets;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>
/// A client of <c>/ws/status</c> that implements the clients' one rule and nothing else: it ignores <c>seq &lt;= last</c>. A gap or a resync
/// is a failure. Cheap enough for thousands.
/// </summary>
internal sealed class Follower : IDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _buffer = new byte[4 * 1024];

    private Follower(long last) => Last = last;

    /// <summary>The last position that it has received.</summary>
    public long Last { get; private set; }

    /// <summary>How many updates came again.</summary>
    public int Repeats { get; private set; }

    private static CancellationToken Token => TestTime.Token;

    private static ReadOnlySpan<byte> Update => "{\"type\":\"status_update\""u8;

    private static ReadOnlySpan<byte> Connected => "{\"type\":\"connected\""u8;

    private static ReadOnlySpan<byte> Seq => "\"seq\":"u8;

    /// <summary>Connects with <c>since</c>.</summary>
    public static async Task<Follower> ConnectAsync(Uri api, string userId, long since)
    {
        var follower = new Follower(since);
        follower._socket.Options.SetRequestHeader("Authorization", $"Bearer {TestTokens.Create(userId)}");
        var address = new UriBuilder(api) { Scheme = "ws", Path = "/ws/status", Query = string.Create(CultureInfo.InvariantCulture, $"since={since}") };
        try
        {
            await follower._socket.ConnectAsync(address.Uri, Token);
            return follower;
        }
        catch
        {
            follower.Dispose();
            throw;
        }
    }

    /// <summary>Reads up to this position.</summary>
    /// <exception cref="WebSocketException">The connection broke, or the server closed it.</exception>
    public async Task ReadUntilAsync(long seq)
    {
        while (Last < seq)
        {
            Take(await NextAsync());
        }
    }

    public void Dispose() => _socket.Dispose();

    private async ValueTask<ReadOnlyMemory<byte>> NextAsync()
    {
        var length = 0;
        while (true)
        {
            var result = await _socket.ReceiveAsync(_buffer.AsMemory(length), Token);
            if (result.MessageType == WebSocketMessageType.Close)
            {
                throw new WebSocketException(WebSocketError.ConnectionClosedPrematurely, $"{_socket.CloseStatus}");
            }

            length += result.Count;
            if (result.EndOfMessage)
            {
                return _buffer.AsMemory(0, length);
            }
        }
    }

    private void Take(ReadOnlyMemory<byte> message)
    {
        var text = message.Span;
        if (text.StartsWith(Connected))
        {
            return;
        }

        Assert.True(text.StartsWith(Update), System.Text.Encoding.UTF8.GetString(text));
        Assert.True(System.Buffers.Text.Utf8Parser.TryParse(text[(text.LastIndexOf(Seq) + Seq.Length)..], out long seq, out _));
        if (seq <= Last)
        {
            Repeats++;
            return;
        }

        Assert.Equal(Last + 1, seq);
        Last = seq;
    }
}
