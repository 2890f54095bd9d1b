using System.Threading.Channels;

namespace StatusUpdates.Worker.Jobs;

/// <summary>Wakes the runner. Calls before its next claim count as one: it reads the queue, not the message. Thread-safe, one waiter.</summary>
internal sealed class WakeUp(TimeProvider time) : IDisposable
{
    // Times this close together share one claim, which also bounds the number of stored times.
    private static readonly TimeSpan Resolution = TimeSpan.FromMilliseconds(20);

    private const int MaxDue = 4096;

    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    private readonly Lock _lock = new();
    private readonly SortedSet<long> _due = [];
    private readonly long _start = time.GetTimestamp();
    private ITimer? _timer;

    public void Set() => _signal.Writer.TryWrite(true);

    /// <summary>Also wakes it after this delay. If there are too many, the latest times are left to the poll interval.</summary>
    public void SetAfter(TimeSpan delay)
    {
        lock (_lock)
        {
            _due.Add(((time.GetElapsedTime(_start) + delay).Ticks / Resolution.Ticks) + 1);
            if (_due.Count > MaxDue)
            {
                _due.Remove(_due.Max);
            }

            ScheduleTimer();
        }
    }

    /// <summary>Returns after a <see cref="Set"/>, including an earlier one, and at the latest after the given time.</summary>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        await using var alarm = time.CreateTimer(static self => ((WakeUp)self!).Set(), this, atMost, Timeout.InfiniteTimeSpan);
        await _signal.Reader.ReadAsync(cancellationToken);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _due.Clear();
            _timer?.Dispose();
        }
    }

    private void OnTimer()
    {
        lock (_lock)
        {
            var now = time.GetElapsedTime(_start).Ticks / Resolution.Ticks;
            if (_due.RemoveWhere(due => due <= now) > 0)
            {
                Set();
            }

            ScheduleTimer();
        }
    }

    private void ScheduleTimer()
    {
        if (_due.Count > 0)
        {
            var wait = TimeSpan.FromTicks(_due.Min * Resolution.Ticks) - time.GetElapsedTime(_start);
            _timer ??= time.CreateTimer(static self => ((WakeUp)self!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _timer.Change(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }
}
