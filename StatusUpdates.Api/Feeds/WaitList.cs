namespace StatusUpdates.Api.Feeds;

/// <summary>
/// The readers of a feed that wait for something to read.
/// Concurrency: thread-safe. A reader takes <see cref="Changes"/> before it looks for something to read, and waits only if that is still the number:
/// so it misses no change.
/// </summary>
internal sealed class WaitList
{
    private readonly Lock _gate = new();
    private readonly LinkedList<FeedWaiter> _waiting = [];
    private long _changes;
    private bool _hasStalled;

    /// <summary>The number of changes so far.</summary>
    public long Changes => Volatile.Read(ref _changes);

    /// <summary>There is something new to read: wakes all.</summary>
    public void Changed()
    {
        lock (_gate)
        {
            Volatile.Write(ref _changes, _changes + 1);
            WakeAll();
        }
    }

    /// <summary>The log could be read again: wakes all, if one of them waits for that.</summary>
    public void RetryStalled()
    {
        lock (_gate)
        {
            if (_hasStalled)
            {
                WakeAll();
            }
        }
    }

    /// <summary>Adds a reader.</summary>
    /// <param name="waiter">The reader; it is not in the list.</param>
    /// <param name="changes">The changes that it has seen; null: it waits for the log, and what it has not seen yet does not end the wait.</param>
    /// <returns>False: there is a change, or a signal, which is left for the reader to take.</returns>
    public bool TryAdd(FeedWaiter waiter, long? changes)
    {
        lock (_gate)
        {
            if (waiter.IsSignaled || (changes is { } seen && seen != _changes))
            {
                return false;
            }

            _hasStalled |= changes is null;
            waiter.Prepare();
            _waiting.AddLast(waiter.Node);
            return true;
        }
    }

    /// <summary>Signals one reader, and wakes it if it waits.</summary>
    public void Signal(FeedWaiter waiter)
    {
        lock (_gate)
        {
            waiter.IsSignaled = true;
            if (waiter.Node.List is not null)
            {
                _waiting.Remove(waiter.Node);
                waiter.Wake();
            }
        }
    }

    private void WakeAll()
    {
        _hasStalled = false;
        while (_waiting.First is { } node)
        {
            _waiting.Remove(node);
            node.Value.Wake();
        }
    }
}
