using System.Net;

namespace StatusUpdates.Data.Webhooks;

/// <summary>Finds the addresses of a name. What asks for many goes by <see cref="HostLookUps"/>.</summary>
public interface IHostResolver
{
    /// <summary>The addresses of a host, in the order in which to try them.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">There is none, or nobody answers.</exception>
    /// <exception cref="OperationCanceledException">The token ended the wait.</exception>
    Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken);
}

/// <summary>
/// Asks what the system asks: its hosts file, its name servers. Thread-safe; one instance serves a process. The system's call blocks, for half a
/// minute where a zone's name servers are dead, and nothing ends it: so it has a thread of its own and not one of the pool's, and callers stop waiting
/// when their token says so. How many are under way is bounded by <see cref="HostLookUps"/>.
/// </summary>
/// <param name="lookUp">Finds the addresses of a name; blocks.</param>
internal sealed class SystemHostResolver(Func<string, IPAddress[]> lookUp) : IHostResolver
{
    public SystemHostResolver()
        : this(Dns.GetHostAddresses)
    {
    }

    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) => Task.Factory.StartNew(
        () => lookUp(host), CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default)
        .WaitAsync(cancellationToken);
}
