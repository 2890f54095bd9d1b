using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// Detects that Redis delivers no hints: since the last one, several sweeps have found updates in the log that were not announced.
/// Thread-safe; <see cref="EndSweep"/> has one caller.
/// </summary>
internal sealed class HintWatch(MessagingWatch watch)
{
    private const int MaxSilentSweeps = 3;

    private int _received;
    private int _missed;
    private int _silentSweeps;

    /// <summary>A hint of this system arrived.</summary>
    public void Received()
    {
        // Called for every message: a write each time would make all cores contend for this field.
        if (Volatile.Read(ref _received) == 0)
        {
            Volatile.Write(ref _received, 1);
        }
    }

    /// <summary>An update was in the log for a whole sweep interval without being announced.</summary>
    public void Missed() => Volatile.Write(ref _missed, 1);

    /// <summary>Evaluates what was received and missed since the last call.</summary>
    /// <param name="isConnected">Whether Redis is connected at all; if it is not, that is reported elsewhere.</param>
    public void EndSweep(bool isConnected)
    {
        var received = Interlocked.Exchange(ref _received, 0) != 0;
        var missed = Interlocked.Exchange(ref _missed, 0) != 0;
        if (received || !isConnected)
        {
            _silentSweeps = 0;
            watch.Hears(true);
        }
        // A sweep that found nothing unannounced proves nothing either way: the count stays.
        else if (missed && ++_silentSweeps >= MaxSilentSweeps)
        {
            watch.Hears(false);
        }
    }
}
