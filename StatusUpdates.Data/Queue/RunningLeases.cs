namespace StatusUpdates.Data.Queue;

/// <summary>
/// The running generations of all workers, each with the earliest end of its lease: leases are only ever extended. Complete after an
/// exploration, except for what began after <see cref="KnownUntil"/>. Not thread-safe.
/// </summary>
internal sealed class RunningLeases(TimeProvider time)
{
    private const int MaxTaken = 1000;

    private readonly PriorityQueue<string, DateTimeOffset> _leases = new();
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly Exploration _exploration = new(time);
    private DateTimeOffset _knownUntil = DateTimeOffset.MinValue;

    /// <summary>The start time up to which all running generations are known.</summary>
    public DateTimeOffset KnownUntil => _exploration.IsUnderWay() ? DateTimeOffset.MinValue : _knownUntil;

    public void Restart() => _exploration.Restart();

    /// <summary>Removes and returns those that may have expired; they are unknown until they are seen again.</summary>
    public List<string> Take(DateTimeOffset now)
    {
        var taken = new List<string>();
        while (taken.Count < MaxTaken && _leases.TryPeek(out var id, out var until) && until <= now)
        {
            _leases.Dequeue();
            _known.Remove(id);
            taken.Add(id);
        }

        return taken;
    }

    public void GiveBack(IEnumerable<string> ids) => Add(ids.Select(id => (id, DateTimeOffset.MinValue)));

    /// <summary>Records what a sweep saw.</summary>
    /// <param name="plan">The claim's plan.</param>
    /// <param name="leases">The running generations; null if there are too many to remember.</param>
    /// <param name="until">The start time up to which it saw all.</param>
    /// <param name="took">Its duration.</param>
    public void Record(ClaimPlan plan, IReadOnlyList<(string Id, DateTimeOffset Until)>? leases, DateTimeOffset until, TimeSpan took)
    {
        var isAll = plan.RunningKnownUntil == DateTimeOffset.MinValue;
        if (isAll || leases is null)
        {
            _leases.Clear();
            _known.Clear();
        }

        if (leases is null)
        {
            _exploration.Restart();
            return;
        }

        Add(leases);
        _knownUntil = until;
        if (isAll)
        {
            _exploration.Add(took);
            _exploration.End();
        }
    }

    // A sweep sees generations again that began shortly before the previous sweep; their leases hold at least as long as was seen then.
    private void Add(IEnumerable<(string Id, DateTimeOffset Until)> leases)
    {
        foreach (var (id, until) in leases)
        {
            if (_known.Add(id))
            {
                _leases.Enqueue(id, until);
            }
        }
    }
}
