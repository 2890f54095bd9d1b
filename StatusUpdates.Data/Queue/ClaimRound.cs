using StatusUpdates.Data.Schema;

namespace StatusUpdates.Data.Queue;

/// <summary>
/// Where a process stands on its rounds over the queue, so that its claims take turns over tasks and users. Thread-safe; only a hint: lost
/// with the process, and whatever it says, a claim takes nothing that another one has.
/// </summary>
internal sealed class ClaimRound
{
    // Nothing comes to be overdue below this, because a deadline lies ahead when it is set, and a statement ends in much less.
    private static readonly TimeSpan Slack = TimeSpan.FromMinutes(1);

    // In case the database's clock was set back.
    private const int LooksFromTheBeginning = 600;

    private readonly Lock _lock = new();
    private readonly Dictionary<GenerationTask, string> _positions = [];
    private readonly string _start = Guid.NewGuid().ToString();
    private int _turn = Random.Shared.Next(1 << 16);
    private DateTimeOffset _overdueAfter = DateTimeOffset.MinValue;
    private int _looks;

    /// <summary>The tasks, each claim with another one first.</summary>
    public IReadOnlyList<GenerationTask> InTurn(IReadOnlyList<GenerationTask> tasks)
    {
        var first = tasks.Count == 0 ? 0 : (Interlocked.Increment(ref _turn) & int.MaxValue) % tasks.Count;
        return [.. tasks.Skip(first), .. tasks.Take(first)];
    }

    /// <summary>The user behind whom the next walk begins; a random place at first, so that processes do not walk together.</summary>
    public string PositionOf(GenerationTask task)
    {
        lock (_lock)
        {
            return _positions.GetValueOrDefault(task, _start);
        }
    }

    /// <summary>No pending generation's deadline was at or before this time: behind it is where to look.</summary>
    public DateTimeOffset OverdueAfter()
    {
        lock (_lock)
        {
            return _overdueAfter;
        }
    }

    public void Move(IReadOnlyList<GenerationTask> tasks, IReadOnlyList<string> positions, DateTimeOffset? noneOverdueUntil)
    {
        lock (_lock)
        {
            for (var i = 0; i < tasks.Count; i++)
            {
                _positions[tasks[i]] = positions[i];
            }

            if (noneOverdueUntil is { } time)
            {
                _overdueAfter = ++_looks % LooksFromTheBeginning == 0 ? DateTimeOffset.MinValue : time - Slack;
            }
        }
    }
}
