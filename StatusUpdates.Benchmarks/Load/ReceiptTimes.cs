namespace StatusUpdates.Benchmarks.Load;

/// <summary>
/// When each update of one user was committed, and when its one socket got it, in timestamps of <c>Stopwatch</c>. The writer and the
/// socket write into places of their own; read it when both are done.
/// </summary>
internal sealed class ReceiptTimes(long head, int capacity)
{
    private readonly long[] _committed = new long[capacity];
    private readonly long[] _received = new long[capacity];

    public void NoteCommitted(long seq, long now) => _committed[seq - head - 1] = now;

    public void Note(long seq, long now) => _received[seq - head - 1] = now;

    /// <summary>When the latest of them was received; 0 if none was.</summary>
    public long LastReceipt => _received.Max();

    /// <summary>The updates that were committed at or after a moment: when, and how long each took. Before its commit was known is 0.</summary>
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
