namespace StatusUpdates.Egress;

/// <summary>
/// A semaphore for each key: callers without a free slot wait, first come, first served. An unused key takes no memory. Thread-safe.
/// </summary>
/// <param name="slots">The number of slots for each key.</param>
public sealed class KeyedSemaphore(int slots)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Key> _keys = new(StringComparer.Ordinal);

    /// <summary>The number of keys in use.</summary>
    internal int Count
    {
        get
        {
            lock (_lock)
            {
                return _keys.Count;
            }
        }
    }

    /// <summary>Takes a slot.</summary>
    /// <returns>Releases the slot when disposed of; further disposals do nothing.</returns>
    /// <exception cref="OperationCanceledException">The token was canceled, and no slot was taken.</exception>
    public async Task<IDisposable> EnterAsync(string key, CancellationToken cancellationToken)
    {
        Key used;
        lock (_lock)
        {
            if (!_keys.TryGetValue(key, out used!))
            {
                _keys[key] = used = new(slots);
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

        return new Slot(this, key, used);
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

    private sealed class Key(int slots)
    {
        public SemaphoreSlim Gate { get; } = new(slots);

        public int Users { get; set; }
    }

    private sealed class Slot(KeyedSemaphore owner, string key, Key used) : IDisposable
    {
        private int _isReleased;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isReleased, 1) == 0)
            {
                used.Gate.Release();
                owner.Leave(key, used);
            }
        }
    }
}
