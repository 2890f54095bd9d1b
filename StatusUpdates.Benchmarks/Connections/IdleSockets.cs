using System.Net.Sockets;
using StatusUpdates.Benchmarks.Load;

namespace StatusUpdates.Benchmarks.Connections;

/// <summary>WebSockets that stay idle after they are opened.</summary>
internal sealed class IdleSockets : IDisposable
{
    private const int ReceiveBuffer = 4096;

    private readonly List<Socket> _sockets = [];

    /// <summary>Opens sockets, <paramref name="concurrency"/> at a time, and waits until each has received its first message.</summary>
    public async Task OpenAsync(
        Uri server, string path, int count, Func<int, string?> tokenOf, int concurrency, CancellationToken cancellationToken) =>
        await Parallel.ForEachAsync(
            Enumerable.Range(_sockets.Count, count),
            new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = cancellationToken },
            async (i, token) =>
            {
                var socket = await RawWebSocket.ConnectAsync(server, path, tokenOf(i), ReceiveBuffer, token);
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
}
