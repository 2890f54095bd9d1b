namespace StatusUpdates.Messaging;

/// <summary>Of many things that are alike one a minute is logged, with the number of them; metrics count them all. Thread-safe.</summary>
/// <param name="time">The clock.</param>
public sealed class LogPace(TimeProvider time)
{
    /// <summary>How long nothing is logged after something was.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private long? _loggedAt;
    private long _count;

    /// <summary>Counts one more.</summary>
    /// <param name="count">How many there were since something was logged, this one included.</param>
    /// <returns>Whether it is to be logged now.</returns>
    public bool IsDue(out long count)
    {
        lock (_lock)
        {
            count = ++_count;
            if (_loggedAt is { } logged && time.GetElapsedTime(logged) < Pause)
            {
                return false;
            }

            (_loggedAt, _count) = (time.GetTimestamp(), 0);
            return true;
        }
    }
}
