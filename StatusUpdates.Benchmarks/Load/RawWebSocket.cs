using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace StatusUpdates.Benchmarks.Load;

/// <summary>The WebSocket handshake on a plain socket. Minimal, because the load shares the processors with the server.</summary>
internal static class RawWebSocket
{
    /// <summary>Connects and waits for the first message, <c>{"type":"connected",…}</c> from both servers.</summary>
    /// <exception cref="BenchmarkFailedException">The server refused the WebSocket.</exception>
    public static async Task<Socket> ConnectAsync(
        Uri server, string path, string? accessToken, int receiveBuffer, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = receiveBuffer, NoDelay = true };
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, server.Port, cancellationToken);
            await socket.SendAsync(Request(server, path, accessToken), cancellationToken);
            await ReceiveConnectedAsync(socket, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public static byte[] Request(Uri server, string path, string? accessToken)
    {
        var request = new StringBuilder()
            .Append($"GET {path} HTTP/1.1\r\nHost: {server.Authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
            .Append($"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {Convert.ToBase64String(Guid.NewGuid().ToByteArray())}\r\n");
        if (accessToken is not null)
        {
            request.Append($"Authorization: Bearer {accessToken}\r\n");
        }

        return Encoding.ASCII.GetBytes(request.Append("\r\n").ToString());
    }

    private static async Task ReceiveConnectedAsync(Socket socket, CancellationToken cancellationToken)
    {
        // Nothing is published while sockets open, so no update can follow in the same read.
        var buffer = ArrayPool<byte>.Shared.Rent(4096);
        try
        {
            var text = "";
            while (!(text.Contains("\"connected\"", StringComparison.Ordinal) && text.EndsWith('}')))
            {
                var read = await socket.ReceiveAsync(buffer, cancellationToken);
                text += Encoding.ASCII.GetString(buffer, 0, read);
                if (read == 0 || !text.StartsWith("HTTP/1.1 101", StringComparison.Ordinal))
                {
                    throw new BenchmarkFailedException($"The server refused a WebSocket: {text}");
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
