using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// Notices that Redis brings nothing: where round after round the sweep finds updates that nobody announced, and no announcement comes at all.
/// Thread-safe; rounds are ended by one caller.
/// </summary>
internal sealed class HintWatch(MessagingWatch watch)
{
    private const int Rounds = 3;

    private int _heard;
    private int _missed;
    private int _silent;

    /// <summary>An announcement of this system's came.</summary>
    public void Heard()
    {
        if (Volatile.Read(ref _heard) == 0)
        {
            Volatile.Write(ref _heard, 1);
        }
    }

    /// <summary>The log had an update for a whole round, and nobody announced it.</summary>
    public void Missed() => Volatile.Write(ref _missed, 1);

    /// <summary>Judges what was heard and missed since the last call.</summary>
    /// <param name="isConnected">Whether Redis is there at all; what it is not, others tell.</param>
    public void EndRound(bool isConnected)
    {
        var heard = Interlocked.Exchange(ref _heard, 0) != 0;
        var missed = Interlocked.Exchange(ref _missed, 0) != 0;
        if (heard || !isConnected)
        {
            _silent = 0;
            watch.Hears(true);
        }
        else if (missed && ++_silent >= Rounds)
        {
            watch.Hears(false);
        }
    }
}
