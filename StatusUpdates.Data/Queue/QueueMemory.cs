using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Queue;

/// <summary>
/// What a process knows of the queue. With it, claims alternate between tasks and users, and read what is new since the claim before instead of
/// everything. Thread-safe. Only a hint, and lost with the process: whatever it says, a claim takes nothing that another one holds.
/// </summary>
/// <remarks>
/// Relies on the database's times: <c>run_at</c> of a generation that becomes pending, or running, is not before that moment; and what was
/// written is visible <paramref name="slack"/> later. Slower commits and manual changes are found by a message or the next exploration.
/// </remarks>
internal sealed class QueueMemory(TimeProvider time, TimeSpan slack)
{
    // The time of a generation that returns to the queue is from before its update waited for locks.
    private static readonly TimeSpan MessageSlack = TimeSpan.FromSeconds(30);

    // Deadlines are set by the submitters, by their own clocks.
    private static readonly TimeSpan DeadlineSlack = TimeSpan.FromMinutes(1);

    // One of so many searches for overdue generations starts at the beginning, in case the database's clock was set back.
    private const int SearchesPerFullSearch = 600;

    // Other processes may have served some users meanwhile, so more are checked than needed.
    private const int ExtraUsers = 8;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, DueUsers> _users = new(StringComparer.Ordinal);
    private readonly RunningLeases _leases = new(time);
    private int _nextTask = Random.Shared.Next(1 << 16);
    private DateTimeOffset _overdueAfter = DateTimeOffset.MinValue;
    private int _searches;
    private DateTimeOffset _now = DateTimeOffset.MinValue;
    private long _nowAt;

    /// <summary>Plans a claim.</summary>
    public ClaimPlan Plan(ClaimRequest request, Func<string, TaskLimit> limitOf)
    {
        var ofTask = request.Held.ToLookup(held => (held.UserId, held.Task), held => held.Count);
        var ofAll = request.Held.GroupBy(held => held.UserId, StringComparer.Ordinal)
            .ToDictionary(held => held.Key, held => held.Sum(h => h.Count), StringComparer.Ordinal);
        lock (_lock)
        {
            var first = request.Tasks.Count == 0 ? 0 : (_nextTask++ & int.MaxValue) % request.Tasks.Count;
            string[] tasks = [.. request.Tasks.Skip(first), .. request.Tasks.Take(first)];
            string?[] positions = [.. tasks.Select(task => UsersOf(task).Explore())];
            var now = Now();
            var users = new List<DueUser>();
            var hasMoreUsers = false;
            foreach (var task in tasks.Where((_, i) => positions[i] is null))
            {
                var limit = limitOf(task);
                var wanted = Math.Min(limit.Free, request.Limit);
                if (wanted > 0)
                {
                    var (taken, hasMore) = _users[task].Take((2 * wanted) + ExtraUsers, now, IsAtLimit);
                    users.AddRange(taken);
                    hasMoreUsers |= hasMore;
                }

                bool IsAtLimit(string user) =>
                    ofAll.GetValueOrDefault(user) >= request.UserLimit || ofTask[(user, task)].Sum() >= limit.OfOneUser;
            }

            return new ClaimPlan
            {
                Tasks = tasks,
                Positions = positions,
                KnownUntil = [.. tasks.Select(task => _users[task].KnownUntil)],
                Users = users,
                HasMoreUsers = hasMoreUsers,
                Leases = request.Sweep ? _leases.Take(now) : [],
                RunningKnownUntil = request.Sweep ? _leases.KnownUntil : DateTimeOffset.MaxValue,
                OverdueAfter = _overdueAfter,
            };
        }
    }

    /// <summary>Notes a pending generation from a message, which does not say which of these tasks it is of.</summary>
    public void Hint(StatusUpdate pending, IReadOnlyList<string> tasks)
    {
        var since = pending.Metadata?.RetryAt is { } retryAt
            ? DateTimeOffset.FromUnixTimeMilliseconds(retryAt)
            : DateTimeOffset.FromUnixTimeMilliseconds(pending.Timestamp) - MessageSlack;
        lock (_lock)
        {
            foreach (var task in tasks)
            {
                UsersOf(task).Add(pending.UserId, since, Now());
            }
        }
    }

    /// <summary>The claim was not made, as far as is known: the next one checks what it was to check.</summary>
    public void GiveBack(ClaimPlan plan)
    {
        lock (_lock)
        {
            foreach (var users in plan.Users.GroupBy(user => user.Task))
            {
                _users[users.Key].GiveBack(users);
            }

            _leases.GiveBack(plan.Leases);
        }
    }

    /// <summary>Records what a claim found.</summary>
    public void Record(ClaimPlan plan, ClaimFindings found, bool isSweep, TimeSpan took)
    {
        lock (_lock)
        {
            if (found.Now + slack < Now())
            {
                // Another server, whose clock is behind: what is known by time is not valid any more.
                _leases.Restart();
                foreach (var users in _users.Values)
                {
                    users.Restart();
                }
            }

            (_now, _nowAt) = (found.Now, time.GetTimestamp());
            foreach (var user in found.Users)
            {
                _users[user.Task].AddLast(user.UserId, user.Since);
            }

            for (var i = 0; i < plan.Tasks.Count; i++)
            {
                RecordTask(i, plan, found, isSweep, took);
            }

            if (isSweep)
            {
                _leases.Record(plan, found.Leases, found.Now - slack, took);
            }

            if (found.NoneOverdueUntil is { } until)
            {
                _overdueAfter = ++_searches % SearchesPerFullSearch == 0 ? DateTimeOffset.MinValue : until - DeadlineSlack;
            }
        }
    }

    private void RecordTask(int index, ClaimPlan plan, ClaimFindings found, bool isSweep, TimeSpan took)
    {
        var users = _users[plan.Tasks[index]];
        if (plan.Positions[index] is not null)
        {
            users.Explored(found.Positions[index], found.CompletedRounds[index], found.Now - slack, took);
            return;
        }

        if (found.Stops[index] is { } stop)
        {
            users.GiveBack(plan.Users.Where((user, i) => user.Task == plan.Tasks[index] && i + 1 > stop));
        }

        if (isSweep)
        {
            var until = found.KnownUntil[index];
            users.KnownUntil = until < found.Now - slack ? until : found.Now - slack;
        }
    }

    private DueUsers UsersOf(string task)
    {
        if (!_users.TryGetValue(task, out var users))
        {
            _users.Add(task, users = new(task, time));
        }

        return users;
    }

    // The database's time, minus the time that its last answer took to arrive.
    private DateTimeOffset Now() => _now == DateTimeOffset.MinValue ? _now : _now + time.GetElapsedTime(_nowAt);
}
