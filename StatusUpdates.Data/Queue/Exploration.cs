namespace StatusUpdates.Data.Queue;

/// <summary>
/// When to explore the queue again although it is believed to be known: at startup, and then rarely enough to take only a small part of the
/// time, because its cost grows with the dead entries that a transaction elsewhere keeps PostgreSQL from removing. Not thread-safe.
/// </summary>
internal sealed class Exploration(TimeProvider time)
{
    private const int PauseFactor = 200;

    private static readonly TimeSpan MinPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MaxPause = TimeSpan.FromMinutes(10);

    private TimeSpan _spent;
    private TimeSpan _pause;
    private long _endedAt;
    private bool _isUnderWay = true;

    /// <summary>Whether an exploration is in progress, or begins now.</summary>
    public bool IsUnderWay()
    {
        if (!_isUnderWay && time.GetElapsedTime(_endedAt) >= _pause)
        {
            Restart();
        }

        return _isUnderWay;
    }

    public void Restart() => (_isUnderWay, _spent) = (true, TimeSpan.Zero);

    public void Add(TimeSpan spent) => _spent += spent;

    public void End()
    {
        _pause = TimeSpan.FromTicks(Math.Clamp(_spent.Ticks * PauseFactor, MinPause.Ticks, MaxPause.Ticks));
        (_isUnderWay, _endedAt) = (false, time.GetTimestamp());
    }
}
