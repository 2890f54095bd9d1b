namespace StatusUpdates.Messaging;

/// <summary>
/// Limits a repeated log message to one a minute, which says how often it happened since the last one; metrics count every time. Thread-safe.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class LogPace(TimeProvider time)
{
    /// <summary>How long after a logged occurrence further ones are only counted.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private long? _loggedAt;
    private long _count;

    /// <summary>Counts one occurrence.</summary>
    /// <param name="count">The number of occurrences since the last one that was logged, including this one.</param>
    /// <returns>Whether to log it now.</returns>
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
