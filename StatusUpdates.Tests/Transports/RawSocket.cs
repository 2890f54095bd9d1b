using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

/// <summary>A WebSocket client that does not enforce the protocol: it sends exactly the bytes it is given.</summary>
internal sealed class RawSocket : IDisposable
{
    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly byte[] _input = new byte[64 * 1024];
    private int _start;
    private int _end;

    private RawSocket(Socket socket, Stream stream)
    {
        _socket = socket;
        _stream = stream;
    }

    private static CancellationToken Token => TestTime.Token;

    public Socket Socket => _socket;

    /// <summary>Connects and reads <c>connected</c>.</summary>
    /// <param name="api">The server.</param>
    /// <param name="userId">The user to connect as.</param>
    /// <param name="receiveBuffer">The size of the system's receive buffer, in bytes; null: its default.</param>
    public static Task<RawSocket> ConnectAsync(TestApi api, string userId, int? receiveBuffer = null) =>
        ConnectAsync(api.Address, TestTokens.Create(userId), receiveBuffer);

    public static async Task<RawSocket> ConnectAsync(Uri address, string token, int? receiveBuffer = null)
    {
        var raw = await OpenAsync(address, receiveBuffer);
        await raw.SendAsync(Encoding.ASCII.GetBytes(
            $"GET {address.AbsolutePath.TrimEnd('/')}/ws/status HTTP/1.1\r\nHost: {address.Authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + $"Authorization: Bearer {token}\r\n\r\n"));
        var head = "";
        while (!head.EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            head += (char)await raw.ByteAsync();
        }

        Assert.StartsWith("HTTP/1.1 101 ", head, StringComparison.Ordinal);

        // RFC 6455, section 1.3, has this key and this accept value.
        Assert.Contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", head, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("connected", (string?)(await raw.MessageAsync())["type"]);
        return raw;
    }

    /// <summary>Connects and sends nothing.</summary>
    public static Task<RawSocket> OpenAsync(TestApi api, int? receiveBuffer = null) => OpenAsync(api.Address, receiveBuffer);

    /// <summary>A masked frame.</summary>
    public static byte[] Frame(int firstByte, ReadOnlySpan<byte> payload)
    {
        byte[] header = payload.Length switch
        {
            < 126 => [(byte)firstByte, (byte)(0x80 | payload.Length)],
            <= ushort.MaxValue => [(byte)firstByte, 0x80 | 126, (byte)(payload.Length >> 8), (byte)payload.Length],
            _ => [(byte)firstByte, 0x80 | 127, 0, 0, 0, 0, (byte)(payload.Length >> 24), (byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length],
        };
        byte[] mask = [0x37, 0xFA, 0x21, 0x3D];
        var masked = payload.ToArray();
        for (var i = 0; i < masked.Length; i++)
        {
            masked[i] ^= mask[i % 4];
        }

        return [.. header, .. mask, .. masked];
    }

    public static byte[] Text(string text) => Frame(0x81, Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(byte[] bytes) => await _stream.WriteAsync(bytes, Token);

    /// <summary>The next frame's first byte and payload.</summary>
    public async Task<(int FirstByte, byte[] Payload)> FrameAsync()
    {
        var first = await ByteAsync();
        long length = await ByteAsync();
        Assert.True(length < 128, "A server's frame is masked.");
        if (length == 126)
        {
            length = BinaryPrimitives.ReadUInt16BigEndian(await BytesAsync(2));
        }
        else if (length == 127)
        {
            length = BinaryPrimitives.ReadInt64BigEndian(await BytesAsync(8));
        }

        return (first, await BytesAsync((int)length));
    }

    public async Task<JsonObject> MessageAsync()
    {
        var (first, payload) = await FrameAsync();
        Assert.Equal(0x81, first);
        return JsonNode.Parse(payload)!.AsObject();
    }

    /// <summary>The code of the next close frame, whatever comes before it. Asserts that the server then ends the connection.</summary>
    public async Task<int> CloseCodeAsync()
    {
        while (true)
        {
            var (first, payload) = await FrameAsync();
            if (first == 0x88)
            {
                _socket.Shutdown(SocketShutdown.Send);
                Assert.Equal(0, await _stream.ReadAsync(_input, Token));
                return payload.Length == 0 ? 0 : BinaryPrimitives.ReadUInt16BigEndian(payload);
            }
        }
    }

    public void Dispose()
    {
        _stream.Dispose();
        _socket.Dispose();
    }

    private static async Task<RawSocket> OpenAsync(Uri address, int? receiveBuffer)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer is { } size)
        {
            socket.ReceiveBufferSize = size;
        }

        await socket.ConnectAsync(address.IdnHost, address.Port, Token);
        var stream = new NetworkStream(socket);
        if (address.Scheme == Uri.UriSchemeHttp)
        {
            return new RawSocket(socket, stream);
        }

        var secure = new SslStream(stream);
        await secure.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = address.IdnHost }, Token);
        return new RawSocket(socket, secure);
    }

    private async Task<byte[]> BytesAsync(int count)
    {
        var bytes = new byte[count];
        for (var i = 0; i < count; i++)
        {
            bytes[i] = (byte)await ByteAsync();
        }

        return bytes;
    }

    private async ValueTask<int> ByteAsync()
    {
        if (_start == _end)
        {
            _start = 0;
            _end = await _stream.ReadAsync(_input, Token);
            if (_end == 0)
            {
                throw new IOException("The server ended the connection.");
            }
        }

        return _input[_start++];
    }
}
