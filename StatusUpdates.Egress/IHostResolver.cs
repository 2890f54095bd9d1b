using System.Net;

namespace StatusUpdates.Egress;

/// <summary>Resolves host names. Code that does so for many owners uses <see cref="HostLookups"/>.</summary>
public interface IHostResolver
{
    /// <summary>The addresses of a host, in the order in which to try them.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">There is none, or no name server answers.</exception>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken);
}

/// <summary>
/// Uses the system's resolver: its hosts file and name servers. The system's call blocks, for half a minute if a zone's name servers are dead, and
/// cannot be canceled: it runs on a thread of its own and not the pool's, and callers stop waiting when their token is canceled.
/// <see cref="HostLookups"/> limits the number of concurrent calls. Thread-safe; one instance serves a process.
/// </summary>
/// <param name="lookup">Finds the addresses of a name; blocks.</param>
internal sealed class SystemHostResolver(Func<string, IPAddress[]> lookup) : IHostResolver
{
    public SystemHostResolver()
        : this(Dns.GetHostAddresses)
    {
    }

    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) => Task.Factory.StartNew(
        () => lookup(host), CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default)
        .WaitAsync(cancellationToken);
}
