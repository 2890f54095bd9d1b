namespace StatusUpdates.Worker.Retention;

/// <summary>
/// How many rows a statement of retention removes: at most as many as is set, half as many after one that took too long, and a little more after each
/// that did not. Not thread-safe.
/// </summary>
internal sealed class BatchSize
{
    // An eighth more each time: six statements from a half back to the whole, so that what is too large is not tried again at once.
    private const int Share = 8;

    private readonly int _most;

    public BatchSize(int most) => Now = _most = most;

    /// <summary>How many now.</summary>
    public int Now { get; private set; }

    /// <returns>False if it cannot be less.</returns>
    public bool TryShrink()
    {
        if (Now == 1)
        {
            return false;
        }

        Now /= 2;
        return true;
    }

    public void Grow() => Now = (int)Math.Min(_most, Now + Math.Max(1L, Now / Share));
}
