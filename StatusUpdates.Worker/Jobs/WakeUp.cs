using System.Threading.Channels;

namespace StatusUpdates.Worker.Jobs;

/// <summary>Wakes the runner. Many calls before it looks are one: it asks the queue, not the message, what there is. Thread-safe, one waiter.</summary>
internal sealed class WakeUp(TimeProvider time)
{
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    public void Set() => _signal.Writer.TryWrite(true);

    /// <summary>Returns after a <see cref="Set"/>, also an earlier one, and at the latest after the given time.</summary>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        await using var alarm = time.CreateTimer(static self => ((WakeUp)self!).Set(), this, atMost, Timeout.InfiniteTimeSpan);
        await _signal.Reader.ReadAsync(cancellationToken);
    }
}
