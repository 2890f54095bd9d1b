using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>
/// Stands between a client and a server on loopback, and can lose an answer: the request reaches the server, the server answers, and the
/// connection is cut before a byte of the answer gets through. It can withhold a request, as a network does that swallows it or delivers it
/// late; cut or freeze what is connected; and lead on to another server.
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Link, bool> _links = [];
    private readonly List<Task> _connections = [];
    private readonly Task _accepting;
    private int _answersToLose;
    private string _losesOnlyOf = "";
    private WithheldRequest? _withheld;

    public TcpProxy(int targetPort)
    {
        TargetPort = targetPort;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Where connections from now on lead.</summary>
    public int TargetPort { get; set; }

    /// <summary>How long every answer is held back, as by a network that is far or full.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>How many connections were taken so far.</summary>
    public int Accepted { get; private set; }

    /// <summary>How many answers were lost so far.</summary>
    public int Lost { get; private set; }

    /// <summary>Loses the next <paramref name="count"/> answers, each with its connection.</summary>
    /// <param name="count">How many.</param>
    /// <param name="of">
    /// How a connection's last request began for its answer to be lost, such as <c>GET /ws/status</c>: a browser asks for more than what a test
    /// is about. Empty: any, HTTP or not.
    /// </param>
    public void LoseAnswers(int count, string of = "")
    {
        Volatile.Write(ref _losesOnlyOf, of);
        Volatile.Write(ref _answersToLose, count);
    }

    /// <summary>Withholds the next request.</summary>
    /// <param name="cut">Whether the client sees its connection break; else it waits for an answer that does not come.</param>
    public WithheldRequest WithholdRequest(bool cut)
    {
        var withheld = new WithheldRequest(cut);
        Volatile.Write(ref _withheld, withheld);
        return withheld;
    }

    /// <summary>Ends the connections that there are.</summary>
    public void Cut()
    {
        foreach (var link in _links.Keys)
        {
            link.Cut();
        }
    }

    /// <summary>From now on the connections that there are stay open, and what they bring goes nowhere.</summary>
    public void Freeze()
    {
        foreach (var link in _links.Keys)
        {
            link.Freeze();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                Accepted++;
                _connections.Add(ServeAsync(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException || _stop.IsCancellationRequested)
        {
            // Disposed; between two connections it is InvalidOperationException, for the listener has stopped.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient();
        var link = new Link(client);
        using (client)
        {
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, TargetPort, _stop.Token);
                client.NoDelay = server.NoDelay = true;
                _links[link] = true;
                await Task.WhenAny(
                    PumpRequestsAsync(client.GetStream(), server.GetStream(), link),
                    PumpAnswersAsync(server.GetStream(), client.GetStream(), link));
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or InvalidOperationException)
            {
                // Either side has gone; both are closed here.
            }
            finally
            {
                _links.TryRemove(link, out _);
            }
        }
    }

    private async Task PumpRequestsAsync(NetworkStream client, NetworkStream server, Link link)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await client.ReadAsync(buffer, _stop.Token) is var count and > 0)
            {
                if (Interlocked.Exchange(ref _withheld, null) is { } withheld)
                {
                    if (withheld.IsCut)
                    {
                        client.Close();
                    }

                    await withheld.Delivery.WaitAsync(_stop.Token);
                    link.Withheld = withheld;
                }

                if (link.IsFrozen)
                {
                    continue;
                }

                link.Ask(buffer.AsSpan(0, count));
                await server.WriteAsync(buffer.AsMemory(0, count), _stop.Token);
                if (link.Withheld is { } delivered)
                {
                    await delivered.Answered.WaitAsync(_stop.Token);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The other direction ended first, or the client was cut off.
        }
    }

    private async Task PumpAnswersAsync(NetworkStream server, NetworkStream client, Link link)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await server.ReadAsync(buffer, _stop.Token) is var count and > 0)
            {
                link.Withheld?.Answer();
                if (link.HasAsked(Volatile.Read(ref _losesOnlyOf)) && Interlocked.Decrement(ref _answersToLose) >= 0)
                {
                    Lost++;
                    return;
                }

                if (Delay > TimeSpan.Zero)
                {
                    await Task.Delay(Delay, _stop.Token);
                }

                if (!link.IsFrozen)
                {
                    await client.WriteAsync(buffer.AsMemory(0, count), _stop.Token);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The other direction ended first.
        }
    }

    /// <summary>A request on its way between client and server.</summary>
    public sealed class WithheldRequest(bool isCut)
    {
        private readonly TaskCompletionSource _delivery = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _answered = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal bool IsCut => isCut;

        internal Task Delivery => _delivery.Task;

        internal Task Answered => _answered.Task;

        /// <summary>Lets the server have it after all, and returns when the server has answered.</summary>
        public Task DeliverAsync(CancellationToken cancellationToken)
        {
            _delivery.SetResult();
            return _answered.Task.WaitAsync(cancellationToken);
        }

        internal void Answer() => _answered.TrySetResult();
    }

    private sealed class Link(TcpClient client)
    {
        private volatile bool _isFrozen;
        private volatile string _request = "";
        private volatile WithheldRequest? _withheld;

        public bool IsFrozen => _isFrozen;

        public WithheldRequest? Withheld
        {
            get => _withheld;
            set => _withheld = value;
        }

        public void Freeze() => _isFrozen = true;

        // What an upgraded connection sends later is no request: the one that upgraded it stays its last.
        public void Ask(ReadOnlySpan<byte> bytes)
        {
            var line = bytes[..Math.Max(bytes.IndexOf((byte)'\r'), 0)];
            if (line.EndsWith("HTTP/1.1"u8))
            {
                _request = Encoding.ASCII.GetString(line);
            }
        }

        public bool HasAsked(string start) => _request.StartsWith(start, StringComparison.Ordinal);

        public void Cut() => client.Dispose();
    }
}
