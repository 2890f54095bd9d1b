using System.Threading.Channels;

namespace StatusUpdates.Worker.Jobs;

/// <summary>Wakes the runner. Many calls before it looks are one: it asks the queue, not the message, what there is. Thread-safe, one waiter.</summary>
internal sealed class WakeUp(TimeProvider time) : IDisposable
{
    // What is due close together is one look at the queue; it also bounds what is remembered.
    private static readonly TimeSpan Grain = TimeSpan.FromMilliseconds(20);

    private const int MaxRemembered = 4096;

    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    private readonly Lock _lock = new();
    private readonly SortedSet<long> _due = [];
    private readonly long _start = time.GetTimestamp();
    private ITimer? _timer;

    public void Set() => _signal.Writer.TryWrite(true);

    /// <summary>Wakes it also when this time has passed. Of very many, those that are furthest away are left to the timer of the queue.</summary>
    public void SetAfter(TimeSpan delay)
    {
        lock (_lock)
        {
            _due.Add(((time.GetElapsedTime(_start) + delay).Ticks / Grain.Ticks) + 1);
            if (_due.Count > MaxRemembered)
            {
                _due.Remove(_due.Max);
            }

            Arm();
        }
    }

    /// <summary>Returns after a <see cref="Set"/>, also an earlier one, and at the latest after the given time.</summary>
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

    private void Ring()
    {
        lock (_lock)
        {
            var now = time.GetElapsedTime(_start).Ticks / Grain.Ticks;
            if (_due.RemoveWhere(due => due <= now) > 0)
            {
                Set();
            }

            Arm();
        }
    }

    private void Arm()
    {
        if (_due.Count > 0)
        {
            var wait = TimeSpan.FromTicks(_due.Min * Grain.Ticks) - time.GetElapsedTime(_start);
            _timer ??= time.CreateTimer(static self => ((WakeUp)self!).Ring(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _timer.Change(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }
}
