using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Npgsql;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>
/// A proxy between a client and a server on loopback. It can lose a response: the request reaches the server, the server responds, and the
/// connection is cut before a byte of the response gets through. It can withhold a request, like a network that drops it or delivers it
/// late; cut or freeze connections; and send new connections to another server.
/// </summary>
/// <param name="targetPort">The server's port.</param>
internal sealed class TcpProxy(int targetPort) : LoopbackTcpServer
{
    private readonly ConcurrentDictionary<Link, bool> _links = [];
    private volatile bool _isFrozen;
    private int _answersToLose;
    private string _requestPrefixToLose = "";
    private WithheldRequest? _withheld;

    /// <summary>The server's port for new connections.</summary>
    public int TargetPort { get; set; } = targetPort;

    /// <summary>How long every response is delayed, as on a distant or congested network.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>How many responses were lost so far.</summary>
    public int Lost { get; private set; }

    /// <summary>A proxy to a database's server.</summary>
    /// <param name="connectionString">The database.</param>
    /// <param name="proxied">The database through the proxy.</param>
    public static TcpProxy ToDatabase(string connectionString, out string proxied)
    {
        var target = new NpgsqlConnectionStringBuilder(connectionString);
        var proxy = new TcpProxy(target.Port);
        (target.Host, target.Port) = ("127.0.0.1", proxy.Port);
        proxied = target.ConnectionString;
        return proxy;
    }

    /// <summary>Loses the next <paramref name="count"/> responses, each with its connection.</summary>
    /// <param name="count">How many.</param>
    /// <param name="of">
    /// Only responses to requests that start with this are lost, such as <c>GET /ws/status</c>, because a browser also sends requests that the
    /// test is not about. Empty: the response to any request, HTTP or not.
    /// </param>
    public void LoseAnswers(int count, string of = "")
    {
        Volatile.Write(ref _requestPrefixToLose, of);
        Volatile.Write(ref _answersToLose, count);
    }

    /// <summary>Withholds the next request.</summary>
    /// <param name="cut">Whether the client's connection is closed; otherwise the client waits for a response that does not come.</param>
    public WithheldRequest WithholdRequest(bool cut)
    {
        var withheld = new WithheldRequest(cut);
        Volatile.Write(ref _withheld, withheld);
        return withheld;
    }

    /// <summary>Cuts all open connections.</summary>
    public void Cut()
    {
        foreach (var link in _links.Keys)
        {
            link.Cut();
        }
    }

    /// <summary>Freezes all open connections: they stay open, but everything sent on them is dropped.</summary>
    public void Freeze()
    {
        foreach (var link in _links.Keys)
        {
            link.Freeze();
        }
    }

    /// <summary>From now on everything sent is dropped, on new connections too.</summary>
    public void FreezeForGood() => _isFrozen = true;

    protected override async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient();
        var link = new Link(client);
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, TargetPort, Stopped);
            client.NoDelay = server.NoDelay = true;
            _links[link] = true;
            await Task.WhenAny(
                PumpRequestsAsync(client.GetStream(), server.GetStream(), link),
                PumpAnswersAsync(server.GetStream(), client.GetStream(), link));
        }
        finally
        {
            _links.TryRemove(link, out _);
        }
    }

    private async Task PumpRequestsAsync(NetworkStream client, NetworkStream server, Link link)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await client.ReadAsync(buffer, Stopped) is var count and > 0)
            {
                if (Interlocked.Exchange(ref _withheld, null) is { } withheld)
                {
                    if (withheld.IsCut)
                    {
                        client.Close();
                    }

                    await withheld.Delivery.WaitAsync(Stopped);
                    link.Withheld = withheld;
                }

                if (IsFrozen(link))
                {
                    continue;
                }

                link.RecordRequest(buffer.AsSpan(0, count));
                await server.WriteAsync(buffer.AsMemory(0, count), Stopped);
                if (link.Withheld is { } delivered)
                {
                    await delivered.Answered.WaitAsync(Stopped);
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
            while (await server.ReadAsync(buffer, Stopped) is var count and > 0)
            {
                link.Withheld?.Answer();
                if (link.HasRequested(Volatile.Read(ref _requestPrefixToLose)) && Interlocked.Decrement(ref _answersToLose) >= 0)
                {
                    Lost++;
                    return;
                }

                if (Delay > TimeSpan.Zero)
                {
                    await Task.Delay(Delay, Stopped);
                }

                if (!IsFrozen(link))
                {
                    await client.WriteAsync(buffer.AsMemory(0, count), Stopped);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The other direction ended first.
        }
    }

    private bool IsFrozen(Link link) => _isFrozen || link.IsFrozen;

    /// <summary>A request on its way between client and server.</summary>
    public sealed class WithheldRequest(bool isCut)
    {
        private readonly TaskCompletionSource _delivery = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _answered = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal bool IsCut => isCut;

        internal Task Delivery => _delivery.Task;

        internal Task Answered => _answered.Task;

        /// <summary>Delivers the request to the server after all and returns when the server has responded.</summary>
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

        // What an upgraded connection sends later is not a request: the upgrade request remains its last one.
        public void RecordRequest(ReadOnlySpan<byte> bytes)
        {
            var line = bytes[..Math.Max(bytes.IndexOf((byte)'\r'), 0)];
            if (line.EndsWith("HTTP/1.1"u8))
            {
                _request = Encoding.ASCII.GetString(line);
            }
        }

        public bool HasRequested(string start) => _request.StartsWith(start, StringComparison.Ordinal);

        public void Cut() => client.Dispose();
    }
}
