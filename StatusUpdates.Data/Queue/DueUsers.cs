namespace StatusUpdates.Data.Queue;

/// <summary>
/// The users that may have due work of one task, in round-robin order: a user that was served goes to the end. Complete after a round of
/// exploration, except for what became pending after <see cref="KnownUntil"/>. Not thread-safe.
/// </summary>
internal sealed class DueUsers(string task, TimeProvider time)
{
    /// <summary>How many are remembered at most. With more, the index is explored all the time; users are close together in it then.</summary>
    public const int MaxUsers = 10_000;

    private readonly LinkedList<DueUser> _ring = [];
    private readonly Dictionary<string, LinkedListNode<DueUser>> _nodes = new(StringComparer.Ordinal);
    private readonly PriorityQueue<DueUser, DateTimeOffset> _later = new();
    private readonly Exploration _exploration = new(time);

    // A random start keeps processes from walking in step.
    private string _position = Guid.NewGuid().ToString();
    private string? _origin;
    private DateTimeOffset? _exploredSince;

    /// <summary>The time up to which everything that became pending is known.</summary>
    public DateTimeOffset KnownUntil { get; set; }

    /// <summary>Where to continue exploring; null if that is not needed.</summary>
    public string? Explore()
    {
        if (!_exploration.IsUnderWay())
        {
            return null;
        }

        _origin ??= _position;
        return _position;
    }

    /// <summary>Requires a new exploration, because what is known is incomplete or the clock behind it went back.</summary>
    public void Restart()
    {
        (_origin, _exploredSince) = (null, null);
        _exploration.Restart();
    }

    /// <summary>Adds a user that has something pending; what it has from before this time is known already.</summary>
    public void Add(string userId, DateTimeOffset since, DateTimeOffset now)
    {
        if (_ring.Count + _later.Count >= MaxUsers)
        {
            _ring.Clear();
            _nodes.Clear();
            _later.Clear();
            Restart();
        }

        var user = new DueUser(task, userId, since);
        if (since > now)
        {
            _later.Enqueue(user, since);
        }
        else if (_nodes.TryGetValue(userId, out var node))
        {
            node.ValueRef = node.Value.Since <= since ? node.Value : user;
        }
        else
        {
            _nodes.Add(userId, _ring.AddLast(user));
        }
    }

    /// <summary>Adds a user at the end: a claim has served it, and found work that is due from this time on.</summary>
    public void AddLast(string userId, DateTimeOffset since)
    {
        since = TakeOut(userId, since);
        Add(userId, since, since);
    }

    /// <summary>Removes and returns the next users in round-robin order; they are unknown until they are added again.</summary>
    /// <param name="count">The maximum number.</param>
    /// <param name="now">The database's time, or a little earlier.</param>
    /// <param name="isAtLimit">Whether a user may not start more jobs now: it keeps its place.</param>
    /// <returns>The users, and whether there are more.</returns>
    public (List<DueUser> Users, bool HasMore) Take(int count, DateTimeOffset now, Func<string, bool> isAtLimit)
    {
        while (_later.TryPeek(out var next, out var since) && since <= now)
        {
            _later.Dequeue();
            Add(next.UserId, since, now);
        }

        var taken = new List<DueUser>();
        for (var node = _ring.First; node is not null;)
        {
            var (user, following) = (node, node.Next);
            if (!isAtLimit(user.Value.UserId))
            {
                if (taken.Count == count)
                {
                    return (taken, true);
                }

                _ring.Remove(user);
                _nodes.Remove(user.Value.UserId);
                taken.Add(user.Value);
            }

            node = following;
        }

        return (taken, false);
    }

    /// <summary>Puts back users that were taken but not checked, at the front.</summary>
    public void GiveBack(IEnumerable<DueUser> users)
    {
        foreach (var user in users.Reverse())
        {
            _nodes.Add(user.UserId, _ring.AddFirst(user with { Since = TakeOut(user.UserId, user.Since) }));
        }
    }

    /// <summary>Records an exploration that began at the position of <see cref="Explore"/>.</summary>
    /// <param name="position">Where the next one continues.</param>
    /// <param name="isRoundCompleted">Whether it alone has completed a round.</param>
    /// <param name="knownUntil">The time up to which it saw everything pending and due.</param>
    /// <param name="took">Its duration.</param>
    public void Explored(string position, bool isRoundCompleted, DateTimeOffset knownUntil, TimeSpan took)
    {
        _exploredSince ??= knownUntil;
        _exploration.Add(took);
        var isDone = isRoundCompleted || (position != _position && HasPassed(_position, position, _origin ?? position));
        _position = position;
        if (isDone)
        {
            KnownUntil = _exploredSince.Value;
            (_origin, _exploredSince) = (null, null);
            _exploration.End();
        }
    }

    // Removes a user, to be added elsewhere. Returns the earlier of the two times.
    private DateTimeOffset TakeOut(string userId, DateTimeOffset since)
    {
        if (!_nodes.Remove(userId, out var node))
        {
            return since;
        }

        _ring.Remove(node);
        return node.Value.Since < since ? node.Value.Since : since;
    }

    // Positions on a ring: the walk ascends, and continues from the last user to the first.
    private static bool HasPassed(string from, string to, string origin)
    {
        bool IsBehind(string a, string b) => string.CompareOrdinal(a, b) > 0;
        return IsBehind(to, from)
            ? IsBehind(origin, from) && !IsBehind(origin, to)
            : IsBehind(origin, from) || !IsBehind(origin, to);
    }
}
