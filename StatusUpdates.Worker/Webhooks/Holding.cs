namespace StatusUpdates.Worker.Webhooks;

/// <summary>
/// One holding of a webhook's cursor: it ends after a while, so that others get its slot, and one whose receiver takes its time gets a slot of
/// those that fail next time. Not thread-safe.
/// </summary>
internal sealed class Holding(TimeProvider time, CancellationToken stopping)
{
    // Below the lease: what a stalled process can repeat is bounded by both.
    private static readonly TimeSpan MaxDuration = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan SlowAttempt = TimeSpan.FromSeconds(2);

    private readonly long _started = time.GetTimestamp();
    private TimeSpan _sum;
    private int _attempts;

    /// <summary>Whether nothing is to be begun any more.</summary>
    public bool IsOver => stopping.IsCancellationRequested || time.GetElapsedTime(_started) >= MaxDuration;

    /// <summary>Whether the service stops.</summary>
    public bool IsStopping => stopping.IsCancellationRequested;

    /// <summary>Whether the receiver takes long for each message, whatever it answers.</summary>
    public bool IsSlow => _attempts > 0 && _sum / _attempts >= SlowAttempt;

    public void Count(AttemptResult result)
    {
        _sum += result.Duration;
        _attempts++;
    }
}
