using System.Net;

namespace StatusUpdates.Data.Webhooks;

/// <summary>Finds the addresses of a name.</summary>
public interface IHostResolver
{
    /// <summary>The addresses of a host, in the order in which to try them.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">There is none, or nobody answers.</exception>
    Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken);
}

/// <summary>Asks what the system asks: its hosts file, its name servers.</summary>
internal sealed class SystemHostResolver : IHostResolver
{
    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) =>
        Dns.GetHostAddressesAsync(host, cancellationToken);
}
