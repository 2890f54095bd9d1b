namespace StatusUpdates.Benchmarks.Load;

/// <summary>
/// When each update of one user was committed, and when the user's one socket received it, as <c>Stopwatch</c> timestamps. The writer and the
/// socket write to separate arrays; read it when both are done.
/// </summary>
internal sealed class ReceiptTimes(long head, int capacity)
{
    private readonly long[] _committed = new long[capacity];
    private readonly long[] _received = new long[capacity];

    public void RecordCommitted(long seq, long now) => _committed[seq - head - 1] = now;

    public void RecordReceived(long seq, long now) => _received[seq - head - 1] = now;

    /// <summary>The timestamp of the last receipt; 0 if there was none.</summary>
    public long LastReceipt => _received.Max();

    /// <summary>The durations from commit to receipt of the updates committed at or after a timestamp; 0 if received before the commit was known.</summary>
    public IEnumerable<long> DurationsSince(long moment)
    {
        for (var i = 0; i < _committed.Length && _committed[i] != 0; i++)
        {
            if (_committed[i] >= moment)
            {
                yield return Math.Max(0, _received[i] - _committed[i]);
            }
        }
    }
}
