using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>A TCP server on loopback that counts its connections and serves them as a derived class says.</summary>
internal abstract class LoopbackTcpServer : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _connections = [];
    private readonly Task _accepting;
    private int _accepted;

    /// <summary>Starts at once, so a derived class sets its state by initializers, which run earlier, and not in a constructor's body.</summary>
    protected LoopbackTcpServer(IPAddress? address = null, int port = 0)
    {
        _listener = new(address ?? IPAddress.Loopback, port);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>How many connections were accepted so far.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>Canceled when the server stops.</summary>
    protected CancellationToken Stopped => _stop.Token;

    /// <summary>Ends all connections. New ones are refused.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    /// <summary>Serves a connection, which is closed when this returns.</summary>
    protected abstract Task ServeAsync(TcpClient client);

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                Interlocked.Increment(ref _accepted);
                _connections.Add(ServeToTheEndAsync(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException || _stop.IsCancellationRequested)
        {
            // Stopped. Between two connections it is an InvalidOperationException, because the listener has stopped.
        }
    }

    private async Task ServeToTheEndAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                await ServeAsync(client);
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or InvalidOperationException)
            {
                // A peer has closed, or the server has stopped.
            }
        }
    }
}
