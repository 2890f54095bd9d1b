namespace StatusUpdates.Client;

/// <summary>
/// The token in use, shared by all calls and feeds of a client. Thread-safe: one asks the provider, the others wait for its answer.
/// </summary>
internal sealed class AccessTokens(Func<CancellationToken, ValueTask<string>> provider) : IDisposable
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private string? _current;

    /// <summary>The token in use, or a fresh one if there is none yet.</summary>
    public ValueTask<string> GetAsync(CancellationToken cancellationToken) =>
        Volatile.Read(ref _current) is { } token ? new(token) : RenewAsync(null, cancellationToken);

    /// <summary>A token other than the stale one, as far as the provider has one: somebody else's renewal counts.</summary>
    public async ValueTask<string> RenewAsync(string? stale, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
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

    public void Dispose() => _gate.Dispose();
}
