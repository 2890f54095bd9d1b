using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace StatusUpdates.Benchmarks.Connections;

/// <summary>WebSockets that are opened and then left alone. Plain sockets with a handshake by hand, so that the load itself stays small.</summary>
internal sealed class IdleSockets : IDisposable
{
    private readonly List<Socket> _sockets = [];

    /// <summary>Opens sockets, <paramref name="concurrency"/> at a time, and waits until each has got its first message.</summary>
    public async Task OpenAsync(
        Uri server, string path, int count, Func<int, string?> tokenOf, int concurrency, CancellationToken cancellationToken) =>
        await Parallel.ForEachAsync(
            Enumerable.Range(_sockets.Count, count),
            new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = cancellationToken },
            async (i, token) =>
            {
                var socket = await OpenAsync(server, path, tokenOf(i), token);
                lock (_sockets)
                {
                    _sockets.Add(socket);
                }
            });

    public void Dispose()
    {
        foreach (var socket in _sockets)
        {
            socket.Dispose();
        }

        _sockets.Clear();
    }

    private static async Task<Socket> OpenAsync(Uri server, string path, string? accessToken, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096, NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, server.Port, cancellationToken);
        var request = new StringBuilder()
            .Append($"GET {path} HTTP/1.1\r\nHost: {server.Authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
            .Append($"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {Convert.ToBase64String(Guid.NewGuid().ToByteArray())}\r\n");
        if (accessToken is not null)
        {
            request.Append($"Authorization: Bearer {accessToken}\r\n");
        }

        await socket.SendAsync(Encoding.ASCII.GetBytes(request.Append("\r\n").ToString()), cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent(4096);
        try
        {
            var text = "";
            while (!text.Contains("\"connected\"", StringComparison.Ordinal))
            {
                var read = await socket.ReceiveAsync(buffer, cancellationToken);
                text += Encoding.ASCII.GetString(buffer, 0, read);
                if (read == 0 || !text.StartsWith("HTTP/1.1 101", StringComparison.Ordinal))
                {
                    throw new InvalidOperationException($"The server refused a WebSocket: {text}");
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return socket;
    }
}
