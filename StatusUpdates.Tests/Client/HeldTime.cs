using System.Threading.Channels;

namespace StatusUpdates.Tests.Client;

/// <summary>
/// A clock whose timers go off when the test says so. It reports every timer as it is made, so that a test waits for the moment in which
/// somebody begins to wait, and sees for how long.
/// </summary>
internal sealed class HeldTime : TimeProvider
{
    private readonly Channel<HeldTimer> _made = Channel.CreateUnbounded<HeldTimer>();
    private long _now = System.GetUtcNow().UtcTicks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => new(Volatile.Read(ref _now), TimeSpan.Zero);

    public override long GetTimestamp() => Volatile.Read(ref _now);

    public void Advance(TimeSpan by) => Interlocked.Add(ref _now, by.Ticks);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new HeldTimer(callback, state, dueTime);
        Assert.True(_made.Writer.TryWrite(timer));
        return timer;
    }

    /// <summary>The next timer of such a length that was made; those before it are left out.</summary>
    public async Task<HeldTimer> NextWaitAsync(Func<TimeSpan, bool> isWanted)
    {
        while (true)
        {
            var timer = await _made.Reader.ReadAsync(TestTime.Token);
            if (timer.DueTime > TimeSpan.Zero && isWanted(timer.DueTime))
            {
                return timer;
            }
        }
    }

    /// <summary>Lets the time of a wait pass.</summary>
    public void Pass(HeldTimer timer)
    {
        Advance(timer.DueTime);
        timer.Fire();
    }
}

/// <summary>A timer of <see cref="HeldTime"/>.</summary>
internal sealed class HeldTimer(TimerCallback callback, object? state, TimeSpan dueTime) : ITimer
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
