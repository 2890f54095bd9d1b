using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.Tests.Api;

/// <summary>Stands before a server on loopback. It can be cut (connections end, new ones are refused) or frozen (nothing gets through).</summary>
internal sealed class BreakableLink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _cut = new();
    private readonly TaskCompletionSource _frozen = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Task> _connections = [];
    private readonly Task _accepting;
    private readonly int _target;

    public BreakableLink(int targetPort)
    {
        _target = targetPort;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>From now on bytes are taken and go nowhere.</summary>
    public void Freeze() => _frozen.TrySetResult();

    public async Task CutAsync()
    {
        await _cut.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
    }

    public async ValueTask DisposeAsync()
    {
        await CutAsync();
        _cut.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _connections.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_cut.Token)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException || _cut.IsCancellationRequested)
        {
            // Cut; between two connections it is InvalidOperationException, for the listener has stopped.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient();
        using (client)
        {
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, _target, _cut.Token);
                await Task.WhenAny(PumpAsync(client.GetStream(), server.GetStream()), PumpAsync(server.GetStream(), client.GetStream()));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
                // Cut, or the server is away.
            }
        }
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await from.ReadAsync(buffer, _cut.Token) is var count and > 0)
            {
                if (!_frozen.Task.IsCompleted)
                {
                    await to.WriteAsync(buffer.AsMemory(0, count), _cut.Token);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The other direction ended first.
        }
    }
}
