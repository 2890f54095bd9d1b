using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.Egress;

/// <summary>
/// Resolves host names for many owners, none of whom can block the others: a lookup serves all callers that ask for its name meanwhile or shortly
/// after, each owner has only a few in progress, and a caller that gets no slot can tell this from a name without addresses. Thread-safe; one
/// instance serves a process.
/// </summary>
/// <remarks>
/// Which addresses are allowed is not checked here but for each connection (<see cref="EgressHttp"/>): known addresses are checked like new ones.
/// </remarks>
/// <param name="resolver">Called at most once at a time for a name.</param>
/// <param name="time">The clock.</param>
public sealed class HostLookups(IHostResolver resolver, TimeProvider time)
{
    /// <summary>The maximum number of concurrent lookups. Each may block a thread for half a minute.</summary>
    public const int MaxLookups = 64;

    /// <summary>The maximum number that one owner has started: limits what a zone without answers can block.</summary>
    public const int MaxPerOwner = 4;

    /// <summary>The time limit for a name; after it callers get no answer, even if they ask again while the lookup is in progress.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>How long addresses may be used for another request.</summary>
    public static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(5);

    // Longer: addresses that were fresh when a request began are still there when it connects.
    private static readonly TimeSpan KeepFor = TimeSpan.FromSeconds(20);

    // A negative answer is cheap to ask for again; a zone that does not answer takes a slot for long.
    private static readonly TimeSpan QuickFailureTtl = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SlowFailureTtl = TimeSpan.FromSeconds(30);

    /// <summary>Above this number, expired entries are removed.</summary>
    internal const int MaxRemembered = 1000;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Lookup> _lookups = new(StringComparer.OrdinalIgnoreCase);
    private readonly KeyedSemaphore _owners = new(MaxPerOwner);
    private readonly KeyedSemaphore _all = new(MaxLookups);

    /// <summary>The addresses of a host, at most some seconds old.</summary>
    /// <param name="host">A name, or an address in any notation.</param>
    /// <param name="owner">Whose limit the lookup counts against.</param>
    /// <param name="cancellationToken">Stops waiting, also for a slot.</param>
    /// <exception cref="SocketException">There is none (<see cref="SocketError.HostNotFound"/>), or no answer (<see cref="SocketError.TryAgain"/>).</exception>
    /// <exception cref="ArgumentException">It is not a host name.</exception>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    public async Task<IPAddress[]> ResolveAsync(string host, string owner, CancellationToken cancellationToken) =>
        AddressOf(host) is { } address
            ? [address]
            : await AnswerAsync(Find(host, KeepFor) ?? await BeginAsync(host, KeepFor, owner, cancellationToken), cancellationToken);

    /// <summary>Like <see cref="ResolveAsync"/>, with addresses no older than <see cref="FreshFor"/>, and a limit to the wait for a slot.</summary>
    /// <returns>Null if no slot was free in time: then nothing is known about the host, and no name server was asked.</returns>
    /// <exception cref="SocketException">As for <see cref="ResolveAsync"/>.</exception>
    /// <exception cref="ArgumentException">As for <see cref="ResolveAsync"/>.</exception>
    /// <exception cref="OperationCanceledException">As for <see cref="ResolveAsync"/>.</exception>
    public async Task<IPAddress[]?> TryResolveAsync(string host, string owner, TimeSpan wait, CancellationToken cancellationToken)
    {
        if (AddressOf(host) is { } address)
        {
            return [address];
        }

        var lookup = Find(host, FreshFor);
        if (lookup is null)
        {
            using var limit = new CancellationTokenSource(wait, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            try
            {
                lookup = await BeginAsync(host, FreshFor, owner, either.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return null;
            }
        }

        return await AnswerAsync(lookup, cancellationToken);
    }

    /// <summary>The address that a host is, in any notation; null if it is a name.</summary>
    public static IPAddress? AddressOf(string host) => IPAddress.TryParse(host.TrimEnd('.'), out var address) ? address : null;

    private async Task<Lookup> BeginAsync(string host, TimeSpan maxAge, string owner, CancellationToken cancellationToken)
    {
        IDisposable? own = await _owners.EnterAsync(owner, cancellationToken);
        IDisposable? all = null;
        try
        {
            all = await _all.EnterAsync("", cancellationToken);
            lock (_lock)
            {
                if (Find(host, maxAge) is { } known)
                {
                    return known;
                }

                RemoveExpired();
                var lookup = new Lookup(time.GetTimestamp());

                // Without the token: the slots are released when the lookup ends, not when nobody waits for it any more.
                lookup.Addresses = RunAsync(host, lookup, own, all);
                (own, all) = (null, null);
                return _lookups[host] = lookup;
            }
        }
        finally
        {
            all?.Dispose();
            own?.Dispose();
        }
    }

    private async Task<IPAddress[]> RunAsync(string host, Lookup lookup, IDisposable own, IDisposable all)
    {
        // A resolver that works before its first await must not hold the lock of the caller.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var addresses = await resolver.ResolveAsync(host, CancellationToken.None);
            return addresses.Length > 0 ? addresses : throw new SocketException((int)SocketError.HostNotFound);
        }
        finally
        {
            lock (_lock)
            {
                lookup.EndedAt = time.GetTimestamp();
            }

            own.Dispose();
            all.Dispose();
        }
    }

    /// <summary>The number of lookups that are remembered, including expired ones.</summary>
    internal int Remembered
    {
        get
        {
            lock (_lock)
            {
                return _lookups.Count;
            }
        }
    }

    private Lookup? Find(string host, TimeSpan maxAge)
    {
        lock (_lock)
        {
            return _lookups.TryGetValue(host, out var lookup) && IsGood(lookup, maxAge) ? lookup : null;
        }
    }

    private bool IsGood(Lookup lookup, TimeSpan maxAge) => lookup.EndedAt is not { } ended || time.GetElapsedTime(ended) < (lookup.HasFailed
        ? time.GetElapsedTime(lookup.StartedAt, ended) < Timeout ? QuickFailureTtl : SlowFailureTtl
        : maxAge);

    private void RemoveExpired()
    {
        if (_lookups.Count >= MaxRemembered)
        {
            foreach (var (host, _) in _lookups.Where(l => !IsGood(l.Value, KeepFor)).ToList())
            {
                _lookups.Remove(host);
            }
        }
    }

    private async Task<IPAddress[]> AnswerAsync(Lookup lookup, CancellationToken cancellationToken)
    {
        var left = Timeout - time.GetElapsedTime(lookup.StartedAt);
        try
        {
            return await lookup.Addresses.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new SocketException((int)SocketError.TryAgain);
        }
    }

    private sealed class Lookup(long startedAt)
    {
        public long StartedAt => startedAt;

        /// <summary>Null while it is in progress. Under the lock.</summary>
        public long? EndedAt { get; set; }

        public bool HasFailed => Addresses.IsFaulted || Addresses.IsCanceled;

        public Task<IPAddress[]> Addresses { get; set; } = null!;
    }
}
