using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.Data.Webhooks;

/// <summary>
/// Looks names up for many owners, so that none of them takes the others' turn: one look-up for a name serves all who ask for it meanwhile and a moment
/// after, an owner has a few under way at once, and who has no place yet can tell that from a name without addresses. Thread-safe; one instance serves a
/// process.
/// </summary>
/// <remarks>
/// Which addresses may be connected to is not judged here but where the connection is made, each time (<see cref="WebhookHttp"/>): what is remembered is
/// judged as what is new.
/// </remarks>
/// <param name="resolver">Asked for a name at most once at a time.</param>
/// <param name="time">The clock.</param>
public sealed class HostLookUps(IHostResolver resolver, TimeProvider time)
{
    /// <summary>How many look-ups are under way at once. Each may hold a thread for half a minute.</summary>
    public const int MaxLookUps = 64;

    /// <summary>How many of them are begun by one owner: what a zone that does not answer can hold.</summary>
    public const int MaxPerOwner = 4;

    /// <summary>How long a name may take; past it there is no answer, also for who asks again while the look-up goes on.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>How long addresses are good for another delivery.</summary>
    public static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);

    // Longer, so that what was fresh when a delivery began is there when it connects.
    private static readonly TimeSpan Known = TimeSpan.FromSeconds(20);

    // A zone that answers no is cheap to ask again; one that is silent costs a place for long.
    private static readonly TimeSpan QuickFailureMemory = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SlowFailureMemory = TimeSpan.FromSeconds(30);

    // Beyond it what is over is forgotten.
    private const int MaxRemembered = 1000;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LookUp> _lookUps = new(StringComparer.OrdinalIgnoreCase);
    private readonly KeyedPlaces _owners = new(MaxPerOwner);
    private readonly KeyedPlaces _all = new(MaxLookUps);

    /// <summary>The addresses of a host, known for some seconds at most.</summary>
    /// <param name="host">A name, or an address in any spelling.</param>
    /// <param name="owner">For whom.</param>
    /// <param name="cancellationToken">Ends the wait, also that for a place.</param>
    /// <exception cref="SocketException">There is none (<see cref="SocketError.HostNotFound"/>), or nobody answers (<see cref="SocketError.TryAgain"/>).</exception>
    /// <exception cref="ArgumentException">It is no name.</exception>
    /// <exception cref="OperationCanceledException">The token ended the wait.</exception>
    public async Task<IPAddress[]> ResolveAsync(string host, string owner, CancellationToken cancellationToken) =>
        WebhookUrl.AddressOf(host) is { } address
            ? [address]
            : await AnswerAsync(Find(host, Known) ?? await BeginAsync(host, Known, owner, cancellationToken), cancellationToken);

    /// <summary>As <see cref="ResolveAsync"/>, with addresses that are <see cref="Fresh"/>, and a limit to the wait for a place.</summary>
    /// <returns>Null if there was no place in time: then nothing is known of the host, and nobody was asked.</returns>
    /// <exception cref="SocketException">As there.</exception>
    /// <exception cref="ArgumentException">As there.</exception>
    /// <exception cref="OperationCanceledException">As there.</exception>
    public async Task<IPAddress[]?> TryResolveAsync(string host, string owner, TimeSpan wait, CancellationToken cancellationToken)
    {
        if (WebhookUrl.AddressOf(host) is { } address)
        {
            return [address];
        }

        var lookUp = Find(host, Fresh);
        if (lookUp is null)
        {
            using var limit = new CancellationTokenSource(wait, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            try
            {
                lookUp = await BeginAsync(host, Fresh, owner, either.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return null;
            }
        }

        return await AnswerAsync(lookUp, cancellationToken);
    }

    private async Task<LookUp> BeginAsync(string host, TimeSpan maxAge, string owner, CancellationToken cancellationToken)
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

                Forget();
                var lookUp = new LookUp(time.GetTimestamp());

                // Without the token: the places are free when the look-up ends, not when nobody waits for it any more.
                lookUp.Addresses = RunAsync(host, lookUp, own, all);
                (own, all) = (null, null);
                return _lookUps[host] = lookUp;
            }
        }
        finally
        {
            all?.Dispose();
            own?.Dispose();
        }
    }

    private async Task<IPAddress[]> RunAsync(string host, LookUp lookUp, IDisposable own, IDisposable all)
    {
        // A resolver that works before its first await does not hold the lock of who began it.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var addresses = await resolver.ResolveAsync(host, CancellationToken.None);
            return addresses.Length > 0 ? addresses : throw new SocketException((int)SocketError.HostNotFound);
        }
        finally
        {
            lookUp.EndedAt = time.GetTimestamp();
            own.Dispose();
            all.Dispose();
        }
    }

    private LookUp? Find(string host, TimeSpan maxAge)
    {
        lock (_lock)
        {
            return _lookUps.TryGetValue(host, out var lookUp) && IsGood(lookUp, maxAge) ? lookUp : null;
        }
    }

    private bool IsGood(LookUp lookUp, TimeSpan maxAge) => lookUp.EndedAt is not { } ended || time.GetElapsedTime(ended) < (lookUp.HasFailed
        ? time.GetElapsedTime(lookUp.StartedAt, ended) < Patience ? QuickFailureMemory : SlowFailureMemory
        : maxAge);

    private void Forget()
    {
        if (_lookUps.Count >= MaxRemembered)
        {
            foreach (var (host, _) in _lookUps.Where(l => !IsGood(l.Value, Known)).ToList())
            {
                _lookUps.Remove(host);
            }
        }
    }

    private async Task<IPAddress[]> AnswerAsync(LookUp lookUp, CancellationToken cancellationToken)
    {
        var left = Patience - time.GetElapsedTime(lookUp.StartedAt);
        try
        {
            return await lookUp.Addresses.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new SocketException((int)SocketError.TryAgain);
        }
    }

    private sealed class LookUp(long startedAt)
    {
        private long _endedAt;

        public long StartedAt => startedAt;

        /// <summary>Null while it is under way.</summary>
        public long? EndedAt
        {
            get => Volatile.Read(ref _endedAt) is not 0 and var ended ? ended : null;
            set => Volatile.Write(ref _endedAt, value ?? 0);
        }

        public bool HasFailed => Addresses.IsFaulted || Addresses.IsCanceled;

        public Task<IPAddress[]> Addresses { get; set; } = null!;
    }
}
