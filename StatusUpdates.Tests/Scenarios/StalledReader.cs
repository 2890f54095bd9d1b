using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>A WebSocket client that connects and then reads nothing until the test tells it to.</summary>
internal sealed class StalledReader : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private byte[] _buffer = new byte[512];
    private int _start;
    private int _end;

    private StalledReader(string userId, long last)
    {
        UserId = userId;
        Last = last;
    }

    public string UserId { get; }

    /// <summary>The last position that it has received.</summary>
    public long Last { get; private set; }

    /// <summary>Both ports of the connection. Only the pair is unique, because a client may use one port for connections to several servers.</summary>
    public (int Server, int Client) Ports => (PortOf(_socket.RemoteEndPoint), PortOf(_socket.LocalEndPoint));

    private static CancellationToken Token => TestTime.Token;

    private static ReadOnlySpan<byte> Seq => "\"seq\":"u8;

    /// <summary>Connects, reads <c>connected</c> and stalls.</summary>
    public static async Task<StalledReader> ConnectAsync(Uri api, string userId, long since, int receiveBuffer)
    {
        var reader = new StalledReader(userId, since);
        reader._socket.ReceiveBufferSize = receiveBuffer;
        await reader._socket.ConnectAsync(api.Host, api.Port, Token);
        await reader._socket.SendAsync(
            Encoding.ASCII.GetBytes(string.Create(
                CultureInfo.InvariantCulture,
                $"GET /ws/status?since={since} HTTP/1.1\r\nHost: {api.Authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {TestTokens.Create(userId)}\r\n\r\n")),
            Token);
        int end;
        while ((end = reader._buffer.AsSpan(0, reader._end).IndexOf("\r\n\r\n"u8)) < 0)
        {
            await reader.FillAsync();
        }

        Assert.StartsWith("HTTP/1.1 101", Encoding.ASCII.GetString(reader._buffer, 0, end), StringComparison.Ordinal);
        reader._start = end + 4;
        while (!reader.TryTake())
        {
            await reader.FillAsync();
        }

        return reader;
    }

    /// <summary>Reads up to this position. Repeats and gaps are failures.</summary>
    /// <exception cref="SocketException">The server has cut the connection.</exception>
    public async Task ReadUntilAsync(long seq)
    {
        _socket.ReceiveBufferSize = 256 * 1024;
        Array.Resize(ref _buffer, 64 * 1024);
        while (Last < seq)
        {
            if (!TryTake())
            {
                await FillAsync();
            }
        }
    }

    /// <summary>Waits, without reading, until the server has cut the connection.</summary>
    public Task UntilCutAsync() => Eventually.TrueAsync(IsCut, everyMilliseconds: 250);

    public void Dispose() => _socket.Dispose();

    // A reset shows up as a socket error. Data that arrived before it is lost, as for any client.
    private bool IsCut() => _socket.Poll(0, SelectMode.SelectError)
        || (int)_socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)! != 0;

    private async Task FillAsync()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        var count = await _socket.ReceiveAsync(_buffer.AsMemory(_end), Token);
        if (count == 0)
        {
            throw new SocketException((int)SocketError.ConnectionReset);
        }

        _end += count;
    }

    // Takes one whole frame, if there is one.
    private bool TryTake()
    {
        var input = _buffer.AsSpan(_start, _end - _start);
        if (input.Length < 4)
        {
            return false;
        }

        var header = input[1] == 126 ? 4 : 2;
        var length = input[1] == 126 ? BinaryPrimitives.ReadUInt16BigEndian(input[2..]) : input[1];
        if (input.Length < header + length)
        {
            return false;
        }

        var payload = input.Slice(header, length);
        _start += header + length;
        if (input[0] == 0x81 && payload.StartsWith("{\"type\":\"status_update\""u8))
        {
            Assert.True(System.Buffers.Text.Utf8Parser.TryParse(payload[(payload.LastIndexOf(Seq) + Seq.Length)..], out long seq, out _));
            Assert.Equal(Last + 1, seq);
            Last = seq;
        }
        else if (input[0] != 0x89)
        {
            // Apart from updates, only connected and pings are expected.
            Assert.True(payload.StartsWith("{\"type\":\"connected\""u8), Encoding.UTF8.GetString(payload));
        }

        return true;
    }

    private static int PortOf(EndPoint? end) => ((IPEndPoint)end!).Port;
}
