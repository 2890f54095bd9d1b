using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.Data.Webhooks;

/// <summary>How webhooks are called: as strangers that may be anybody, and may try to be led to our own services.</summary>
public static class WebhookHttp
{
    /// <summary>How long it may take to resolve a name, connect and agree on TLS.</summary>
    public static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    // Long enough to be of use to a busy webhook, and short enough that a name's new addresses are soon asked for.
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan ConnectionIdleTimeout = TimeSpan.FromSeconds(30);

    /// <summary>For whom a request is made: whose turn the look-up of its host takes. Where it is not set, each host is looked up in its own turn.</summary>
    public static readonly HttpRequestOptionsKey<string> Owner = new("StatusUpdates.Owner");

    private const int MaxHeadersKiB = 16;
    private const int MaxDrainedBytes = 64 * 1024;

    /// <summary>
    /// A handler to share by all webhooks: nothing is remembered between requests, no redirect followed, and nothing measured by host. For each connection the
    /// addresses of its name are judged anew; if any of them is forbidden there is no connection (<see cref="ForbiddenAddressException"/>, wrapped by the
    /// client), else it goes to one of exactly these addresses: a name that changes its answer in between changes nothing. Nor is there one to a port that
    /// is not allowed (<see cref="ForbiddenPortException"/>).
    /// </summary>
    /// <param name="policy">Which addresses and ports are allowed.</param>
    /// <param name="lookUps">What finds addresses.</param>
    public static SocketsHttpHandler CreateHandler(AddressPolicy policy, HostLookUps lookUps) => new()
    {
        // A proxy would resolve the name a second time, and by its own rules.
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,

        // A trace's identity is ours.
        ActivityHeadersPropagator = null,
        MeterFactory = new UnheardMeters(),
        ConnectTimeout = ConnectTimeout,
        PooledConnectionLifetime = ConnectionLifetime,
        PooledConnectionIdleTimeout = ConnectionIdleTimeout,
        MaxResponseHeadersLength = MaxHeadersKiB,
        MaxResponseDrainSize = MaxDrainedBytes,
        ConnectCallback = (context, cancellationToken) => ConnectAsync(context, policy, lookUps, cancellationToken),
    };

    /// <summary>The addresses of a host, all of them allowed.</summary>
    /// <exception cref="ForbiddenAddressException">One is not.</exception>
    /// <exception cref="SocketException">There is none, or nobody answers.</exception>
    public static async Task<IPAddress[]> ResolveAsync(
        string host, string owner, AddressPolicy policy, HostLookUps lookUps, CancellationToken cancellationToken)
    {
        var addresses = await lookUps.ResolveAsync(host, owner, cancellationToken);
        return addresses.All(policy.IsAllowed) ? addresses : throw new ForbiddenAddressException();
    }

    // A handler's own metrics carry the host, and users choose hosts: they would fill what a process can tell apart. So they come from a
    // meter that nobody listens to; what is worth knowing of webhooks is measured where they are delivered.
    private sealed class UnheardMeters : IMeterFactory
    {
        private readonly Meter _meter = new("Strangers.Http");

        public Meter Create(MeterOptions options) => _meter;

        public void Dispose() => _meter.Dispose();
    }

    private static async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, AddressPolicy policy, HostLookUps lookUps, CancellationToken cancellationToken)
    {
        var target = context.DnsEndPoint;
        if (!policy.Ports.Contains(target.Port))
        {
            throw new ForbiddenPortException(policy.Ports.ToString());
        }

        var owner = context.InitialRequestMessage.Options.TryGetValue(Owner, out var named) ? named : target.Host;
        var addresses = await ResolveAsync(target.Host, owner, policy, lookUps, cancellationToken);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, target.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
