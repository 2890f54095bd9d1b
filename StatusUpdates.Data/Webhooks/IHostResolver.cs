using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace StatusUpdates.Data.Webhooks;

/// <summary>Finds the addresses of a name.</summary>
public interface IHostResolver
{
    /// <summary>The addresses of a host, in the order in which to try them.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">There is none, or nobody answers.</exception>
    /// <exception cref="OperationCanceledException">The token ended the wait.</exception>
    Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken);
}

/// <summary>
/// Asks what the system asks: its hosts file, its name servers. Thread-safe; one instance serves a process. The system's call blocks, for half a
/// minute where a zone's name servers are dead, and nothing ends it: so it has a thread of its own and not one of the pool's, callers stop waiting
/// when their token says so, and a bounded number of calls is under way.
/// </summary>
/// <param name="lookUp">Finds the addresses of a name; blocks.</param>
[SuppressMessage("Reliability", "CA1001", Justification = "A call may end after its resolver; without a wait handle the gate holds nothing.")]
internal sealed class SystemHostResolver(Func<string, IPAddress[]> lookUp) : IHostResolver
{
    /// <summary>How many names are asked for at once; further ones wait.</summary>
    public const int MaxLookUps = 32;

    private readonly SemaphoreSlim _gate = new(MaxLookUps);

    public SystemHostResolver()
        : this(Dns.GetHostAddresses)
    {
    }

    public async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);

        // Without the token: its place is free when the call ends, not when nobody waits for it any more.
        var call = Task.Factory.StartNew(
            () => LookUp(host), CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
        return await call.WaitAsync(cancellationToken);
    }

    private IPAddress[] LookUp(string host)
    {
        try
        {
            return lookUp(host);
        }
        finally
        {
            _gate.Release();
        }
    }
}
