namespace StatusUpdates.Api.Workers;

/// <summary>
/// Hints on Redis that owners asked to cancel running generations, for the heartbeats that wait for that. A hint only causes a check of the database:
/// anyone who can publish to Redis can send one. Thread-safe.
/// </summary>
internal sealed class StopHints
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, List<Watch>> _watches = new(StringComparer.Ordinal);

    /// <summary>Wakes the heartbeats that have this generation. Never waits.</summary>
    public void Hint(string generationId)
    {
        lock (_lock)
        {
            foreach (var watch in _watches.GetValueOrDefault(generationId) ?? [])
            {
                watch.Set();
            }
        }
    }

    /// <summary>Watches these generations until it is disposed of; begin before the database is read, so that nothing is missed in between.</summary>
    public Watch Begin(IReadOnlyList<string> generationIds)
    {
        var watch = new Watch(this, generationIds);
        lock (_lock)
        {
            foreach (var id in generationIds)
            {
                if (!_watches.TryGetValue(id, out var watches))
                {
                    _watches.Add(id, watches = []);
                }

                watches.Add(watch);
            }
        }

        return watch;
    }

    private void End(Watch watch, IReadOnlyList<string> generationIds)
    {
        lock (_lock)
        {
            foreach (var id in generationIds)
            {
                if (_watches.TryGetValue(id, out var watches) && watches.Remove(watch) && watches.Count == 0)
                {
                    _watches.Remove(id);
                }
            }
        }
    }

    /// <summary>One heartbeat's watch. Thread-safe, one waiter.</summary>
    internal sealed class Watch(StopHints hints, IReadOnlyList<string> generationIds) : IDisposable
    {
        private TaskCompletionSource _hinted = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Set() => Volatile.Read(ref _hinted).TrySetResult();

        /// <summary>Waits for a hint, also an earlier one that no wait has ended with, and at most this long.</summary>
        public async Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
        {
            await _hinted.Task.WaitAsync(atMost, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_hinted.Task.IsCompleted)
            {
                // Before the database is read: a hint that comes from here on ends the next wait.
                Volatile.Write(ref _hinted, new(TaskCreationOptions.RunContinuationsAsynchronously));
            }
        }

        public void Dispose() => hints.End(this, generationIds);
    }
}
