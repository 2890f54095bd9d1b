using System.Diagnostics.CodeAnalysis;

namespace StatusUpdates.Client;

/// <summary>
/// The token in use, shared by all calls and feeds of a client. Thread-safe: one asks the provider, the others wait for its answer.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "A provider may return after its client is gone; without a wait handle the gate holds nothing.")]
internal sealed class AccessTokens(Func<CancellationToken, ValueTask<string>> provider)
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private string? _current;

    /// <summary>The token in use, or a fresh one if there is none yet.</summary>
    public ValueTask<string> GetAsync(CancellationToken cancellationToken) =>
        Volatile.Read(ref _current) is { } token ? new(token) : RenewAsync(null, cancellationToken);

    /// <summary>
    /// A token other than the stale one, as far as the provider has one: somebody else's renewal counts. Cancellation ends the wait, also if
    /// the provider goes on regardless.
    /// </summary>
    public async ValueTask<string> RenewAsync(string? stale, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        return await AskAsync(stale, cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    // Has the gate, and keeps it until the provider has returned, though nobody may wait for that any more: it is never called twice at the same
    // time, and a late token is as good as any. A late exception is nobody's, and goes where those of unobserved tasks do.
    private async Task<string> AskAsync(string? stale, CancellationToken cancellationToken)
    {
        try
        {
            if (_current is { } current && !string.Equals(current, stale, StringComparison.Ordinal))
            {
                return current;
            }

            var fresh = await provider(cancellationToken).ConfigureAwait(false);
            if (string.IsNullOrEmpty(fresh) || !fresh.All(c => c is > ' ' and <= '~'))
            {
                throw new InvalidOperationException("The AccessTokenProvider gave no token: it must be printable ASCII without spaces.");
            }

            Volatile.Write(ref _current, fresh);
            return fresh;
        }
        finally
        {
            _gate.Release();
        }
    }
}
