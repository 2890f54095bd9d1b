namespace StatusUpdates.Messaging;

/// <summary>
/// Limits repeated log messages to one a minute, which states the number of occurrences; metrics count all of them. Thread-safe.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class LogPace(TimeProvider time)
{
    /// <summary>How long occurrences are only counted after one was logged.</summary>
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
