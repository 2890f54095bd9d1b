namespace StatusUpdates.Data.Webhooks;

/// <summary>
/// So many places for each key: who has none waits, first come, first served. A key that nobody uses takes no memory. Thread-safe.
/// </summary>
/// <param name="places">How many places each key has.</param>
public sealed class KeyedPlaces(int places)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Key> _keys = new(StringComparer.Ordinal);

    /// <summary>Takes a place.</summary>
    /// <returns>Gives the place back when it is disposed of; once is enough, more do nothing.</returns>
    /// <exception cref="OperationCanceledException">The token ended the wait: there is no place.</exception>
    public async Task<IDisposable> EnterAsync(string key, CancellationToken cancellationToken)
    {
        Key used;
        lock (_lock)
        {
            if (!_keys.TryGetValue(key, out used!))
            {
                _keys[key] = used = new(places);
            }

            used.Users++;
        }

        try
        {
            await used.Gate.WaitAsync(cancellationToken);
        }
        catch
        {
            Leave(key, used);
            throw;
        }

        return new Place(this, key, used);
    }

    private void Leave(string key, Key used)
    {
        lock (_lock)
        {
            if (--used.Users == 0)
            {
                _keys.Remove(key);
                used.Gate.Dispose();
            }
        }
    }

    private sealed class Key(int places)
    {
        public SemaphoreSlim Gate { get; } = new(places);

        public int Users { get; set; }
    }

    private sealed class Place(KeyedPlaces owner, string key, Key used) : IDisposable
    {
        private int _isLeft;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isLeft, 1) == 0)
            {
                used.Gate.Release();
                owner.Leave(key, used);
            }
        }
    }
}
