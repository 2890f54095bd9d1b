using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.Egress;

/// <summary>How URLs of users and providers are called: as untrusted, because they may try to direct requests to our own services.</summary>
public static class EgressHttp
{
    /// <summary>The time limit for resolving a name, connecting and the TLS handshake.</summary>
    public static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    // Long enough to be of use to a busy receiver, and short enough to pick up a name's new addresses soon.
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan ConnectionIdleTimeout = TimeSpan.FromSeconds(30);

    /// <summary>The user whose limit the lookups of a request count against. Without it, they are limited for each host.</summary>
    public static readonly HttpRequestOptionsKey<string> Owner = new("StatusUpdates.Owner");

    private const int MaxHeadersKiB = 16;
    private const int MaxDrainedBytes = 64 * 1024;

    /// <summary>
    /// A handler that all receivers share: it keeps nothing between requests, follows no redirects, and records no metrics by host. The addresses of
    /// a name are checked for each connection: if one of them is forbidden, the connection is refused (<see cref="ForbiddenAddressException"/>,
    /// wrapped by the client); otherwise it goes to one of exactly these addresses, so a name that changes its answer in between gains nothing.
    /// Ports that are not allowed are refused as well (<see cref="ForbiddenPortException"/>).
    /// </summary>
    /// <param name="policy">Which addresses and ports are allowed.</param>
    /// <param name="lookups">Resolves names.</param>
    public static SocketsHttpHandler CreateHandler(AddressPolicy policy, HostLookups lookups) => new()
    {
        // A proxy would resolve the name a second time, by its own rules.
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,

        // Trace ids are internal.
        ActivityHeadersPropagator = null,
        MeterFactory = new UnobservedMeterFactory(),
        ConnectTimeout = ConnectTimeout,
        PooledConnectionLifetime = ConnectionLifetime,
        PooledConnectionIdleTimeout = ConnectionIdleTimeout,
        MaxResponseHeadersLength = MaxHeadersKiB,
        MaxResponseDrainSize = MaxDrainedBytes,
        ConnectCallback = (context, cancellationToken) => ConnectAsync(context, policy, lookups, cancellationToken),
    };

    /// <summary>The addresses of a host, all of them allowed.</summary>
    /// <exception cref="ForbiddenAddressException">One of them is forbidden.</exception>
    /// <exception cref="SocketException">There is none, or no name server answers.</exception>
    public static async Task<IPAddress[]> ResolveAsync(
        string host, string owner, AddressPolicy policy, HostLookups lookups, CancellationToken cancellationToken)
    {
        var addresses = await lookups.ResolveAsync(host, owner, cancellationToken);
        return addresses.All(policy.IsAllowed) ? addresses : throw new ForbiddenAddressException();
    }

    // The handler's own metrics contain the host, and users choose hosts: they would use up the number of time series of a process. So they go to
    // a meter without listeners; callers have metrics of their own.
    private sealed class UnobservedMeterFactory : IMeterFactory
    {
        private readonly Meter _meter = new("Strangers.Http");

        public Meter Create(MeterOptions options) => _meter;

        public void Dispose() => _meter.Dispose();
    }

    private static async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, AddressPolicy policy, HostLookups lookups, CancellationToken cancellationToken)
    {
        var target = context.DnsEndPoint;
        if (!policy.Ports.Contains(target.Port))
        {
            throw new ForbiddenPortException(policy.Ports.ToString());
        }

        var owner = context.InitialRequestMessage.Options.TryGetValue(Owner, out var named) ? named : target.Host;
        var addresses = await ResolveAsync(target.Host, owner, policy, lookups, cancellationToken);
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
