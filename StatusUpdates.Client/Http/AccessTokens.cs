using System.Diagnostics.CodeAnalysis;

namespace StatusUpdates.Client.Http;

/// <summary>
/// The current token, shared by all calls and feeds of a client. Thread-safe: one caller invokes the provider, the others wait.
/// </summary>
[SuppressMessage("Reliability", "CA1001",
    Justification = "A provider may return after its client is disposed; without a wait handle the gate holds no resources.")]
internal sealed class AccessTokens(Func<CancellationToken, ValueTask<string>> provider)
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private string? _current;

    /// <summary>
    /// The current token, or a fresh one if there is none yet. With a stale token: another one, if the provider has one; another caller's renewal
    /// counts. Cancellation ends the wait even if the provider ignores it.
    /// </summary>
    public async ValueTask<string> GetAsync(string? stale, CancellationToken cancellationToken)
    {
        if (stale is null && Volatile.Read(ref _current) is { } token)
        {
            return token;
        }

        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        return await FetchAsync(stale, cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    // Holds the gate until the provider has returned, even if nobody waits any more: the provider is never called concurrently, and a late
    // token is as good as any. A late exception has no receiver and ends as an unobserved task exception.
    private async Task<string> FetchAsync(string? stale, CancellationToken cancellationToken)
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
                throw new InvalidOperationException("The AccessTokenProvider returned no valid token: it must be printable ASCII without spaces.");
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
