namespace StatusUpdates.Worker.Retention;

/// <summary>
/// How many rows one retention statement removes: at most the configured number, half as many after a statement that took too long, and a few more
/// after each one that did not. Not thread-safe.
/// </summary>
internal sealed class BatchSize
{
    // An eighth more each time: six statements from half to full size, so a size that is too large is not tried again at once.
    private const int GrowthDivisor = 8;

    private readonly int _max;

    public BatchSize(int max) => Current = _max = max;

    /// <summary>The current number of rows.</summary>
    public int Current { get; private set; }

    /// <returns>False if it cannot be smaller.</returns>
    public bool TryShrink()
    {
        if (Current == 1)
        {
            return false;
        }

        Current /= 2;
        return true;
    }

    public void Grow() => Current = (int)Math.Min(_max, Current + Math.Max(1L, Current / GrowthDivisor));
}
