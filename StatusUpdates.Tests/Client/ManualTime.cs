using System.Threading.Channels;

namespace StatusUpdates.Tests.Client;

/// <summary>
/// A clock whose timers fire only when the test fires them. It queues every timer that is created, so a test can wait until the code under
/// test starts to wait, and see for how long.
/// </summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Channel<ManualTimer> _created = Channel.CreateUnbounded<ManualTimer>();
    private long _now = System.GetUtcNow().UtcTicks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => new(Volatile.Read(ref _now), TimeSpan.Zero);

    public override long GetTimestamp() => Volatile.Read(ref _now);

    public void Advance(TimeSpan by) => Interlocked.Add(ref _now, by.Ticks);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(callback, state, dueTime);
        Assert.True(_created.Writer.TryWrite(timer));
        return timer;
    }

    /// <summary>The next timer whose due time matches; earlier timers are skipped.</summary>
    public async Task<ManualTimer> NextWaitAsync(Func<TimeSpan, bool> isWanted)
    {
        while (true)
        {
            var timer = await _created.Reader.ReadAsync(TestTime.Token);
            if (timer.DueTime > TimeSpan.Zero && isWanted(timer.DueTime))
            {
                return timer;
            }
        }
    }

    /// <summary>Advances the clock by the timer's due time and fires it.</summary>
    public void Pass(ManualTimer timer)
    {
        Advance(timer.DueTime);
        timer.Fire();
    }
}

/// <summary>A timer of <see cref="ManualTime"/>.</summary>
internal sealed class ManualTimer(TimerCallback callback, object? state, TimeSpan dueTime) : ITimer
{
    private volatile bool _isDisposed;

    public TimeSpan DueTime => dueTime;

    public void Fire()
    {
        if (!_isDisposed)
        {
            callback(state);
        }
    }

    public bool Change(TimeSpan dueTime, TimeSpan period) => true;

    public void Dispose() => _isDisposed = true;

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }
}
