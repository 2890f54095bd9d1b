namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>Counts a client's messages by the second. Not thread-safe: the receiving side alone holds it.</summary>
internal struct MessageRate(int limit)
{
    private long _second;
    private int _count;

    /// <summary>Counts one.</summary>
    /// <returns>Whether it is within the limit of the second that began with the first message counted.</returns>
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
