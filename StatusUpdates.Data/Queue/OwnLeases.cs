namespace StatusUpdates.Data.Queue;

/// <summary>
/// The generations that each worker of this process held when its leases were last extended, and the start time up to which these were all: a claim
/// whose answer was lost may have taken more. Thread-safe.
/// </summary>
internal sealed class OwnLeases(TimeSpan slack)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (string[] Ids, DateTimeOffset KnownUntil)> _owned = new(StringComparer.Ordinal);

    /// <summary>The generations that this worker held, and the start time after which to look for others.</summary>
    public (string[] Ids, DateTimeOffset KnownUntil) Of(string owner)
    {
        lock (_lock)
        {
            return _owned.GetValueOrDefault(owner, ([], DateTimeOffset.MinValue));
        }
    }

    /// <summary>Records an extension: the held ones are all that began before <paramref name="now"/>.</summary>
    public void RecordExtension(string owner, IEnumerable<HeldLease> held, DateTimeOffset now)
    {
        lock (_lock)
        {
            _owned[owner] = ([.. held.Select(lease => lease.GenerationId)], now - slack);
        }
    }
}
