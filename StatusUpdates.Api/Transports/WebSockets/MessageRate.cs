namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>Limits a client's messages per second. Not thread-safe: used by the receiving side only.</summary>
internal struct MessageRate(int limit)
{
    private long _second;
    private int _count;

    /// <summary>Counts a message.</summary>
    /// <returns>Whether it is within the limit of the current second, which begins with its first message.</returns>
    public bool TryCount(long timestamp, TimeProvider time)
    {
        if (_count == 0 || time.GetElapsedTime(_second, timestamp) >= TimeSpan.FromSeconds(1))
        {
            _second = timestamp;
            _count = 0;
        }

        return ++_count <= limit;
    }
}
