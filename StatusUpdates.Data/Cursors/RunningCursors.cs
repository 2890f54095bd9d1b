using System.Threading.Channels;

namespace StatusUpdates.Data.Cursors;

/// <summary>One cursor's run.</summary>
internal sealed class CursorRun(HeldCursor cursor)
{
    public HeldCursor Cursor { get; } = cursor;

    /// <summary>Decides which kind of slot it takes; does not change during the run.</summary>
    public bool IsTroubled { get; } = cursor.IsTroubled;

    /// <summary>The highest seq hinted for its user during the run.</summary>
    public long Hinted { get; set; }

    public Task Task { get; set; } = Task.CompletedTask;
}

/// <summary>
/// The cursors that run in this process, and the users with hints. A hint for a user whose cursor runs here is kept until that run has ended,
/// because the run may have read the log before. Thread-safe.
/// </summary>
internal sealed class RunningCursors
{
    // The maximum for one claim.
    private const int MaxHints = 1000;

    private readonly Lock _lock = new();
    private readonly HashSet<string> _hints = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<CursorRun>> _byUser = new(StringComparer.Ordinal);
    private readonly HashSet<CursorRun> _runs = [];
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    private int _troubled;

    /// <summary>How many runs of healthy and of troubled cursors there are.</summary>
    public (int Healthy, int Troubled) Count
    {
        get
        {
            lock (_lock)
            {
                return (_runs.Count - _troubled, _troubled);
            }
        }
    }

    /// <summary>Notes that a user's log has grown to this seq.</summary>
    public void Hint(string userId, long seq)
    {
        lock (_lock)
        {
            if (_byUser.TryGetValue(userId, out var runs))
            {
                foreach (var run in runs)
                {
                    run.Hinted = Math.Max(run.Hinted, seq);
                }
            }

            _hints.Add(userId);
        }

        _signal.Writer.TryWrite(true);
    }

    /// <summary>Removes and returns some users with hints, as many as one claim takes.</summary>
    public string[] TakeHints()
    {
        lock (_lock)
        {
            string[] taken = [.. _hints.Take(MaxHints)];
            _hints.ExceptWith(taken);
            if (_hints.Count > 0)
            {
                _signal.Writer.TryWrite(true);
            }

            return taken;
        }
    }

    public void PutBack(string[] users)
    {
        lock (_lock)
        {
            _hints.UnionWith(users);
        }
    }

    public CursorRun Add(HeldCursor cursor)
    {
        var run = new CursorRun(cursor);
        lock (_lock)
        {
            _runs.Add(run);
            _troubled += run.IsTroubled ? 1 : 0;
            if (!_byUser.TryGetValue(cursor.UserId, out var runs))
            {
                _byUser[cursor.UserId] = runs = [];
            }

            runs.Add(run);
        }

        return run;
    }

    public void Remove(CursorRun run)
    {
        lock (_lock)
        {
            _runs.Remove(run);
            _troubled -= run.IsTroubled ? 1 : 0;
            var user = run.Cursor.UserId;
            var runs = _byUser[user];
            runs.Remove(run);
            if (runs.Count == 0)
            {
                _byUser.Remove(user);
            }

            if (run.Hinted > run.Cursor.Position.Seq)
            {
                _hints.Add(user);
            }
        }

        // A slot is free now, even without a hint.
        _signal.Writer.TryWrite(true);
    }

    public IReadOnlyList<HeldCursor> Snapshot()
    {
        lock (_lock)
        {
            return [.. _runs.Select(r => r.Cursor)];
        }
    }

    /// <summary>Waits for a hint or the end of a run, including one that came before, but not longer than the given time.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        // Waits a little even if a sweep is due: without free slots the caller would otherwise loop without a pause.
        atMost = atMost > TimeSpan.Zero ? atMost : TimeSpan.FromMilliseconds(50);
        await using var alarm = time.CreateTimer(
            static self => ((RunningCursors)self!)._signal.Writer.TryWrite(true), this, atMost, Timeout.InfiniteTimeSpan);
        await _signal.Reader.ReadAsync(cancellationToken);
    }

    /// <summary>Completes when all runs have ended.</summary>
    public Task EndedAsync()
    {
        lock (_lock)
        {
            return Task.WhenAll(_runs.Select(r => r.Task));
        }
    }
}
