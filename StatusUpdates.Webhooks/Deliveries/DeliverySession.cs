namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>
/// One period of holding a webhook's cursor. It ends after a while, because others need its slot; a webhook whose receiver was slow gets one of the
/// slots for troubled cursors next time. Not thread-safe.
/// </summary>
internal sealed class DeliverySession(TimeProvider time, CancellationToken stopping)
{
    // Shorter than the lease: both limit what a stalled process can repeat.
    private static readonly TimeSpan MaxDuration = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan SlowAttempt = TimeSpan.FromSeconds(2);

    private readonly long _started = time.GetTimestamp();
    private TimeSpan _sum;
    private int _attempts;

    /// <summary>Whether nothing more may be started.</summary>
    public bool IsOver => stopping.IsCancellationRequested || time.GetElapsedTime(_started) >= MaxDuration;

    /// <summary>Whether the service is stopping.</summary>
    public bool IsStopping => stopping.IsCancellationRequested;

    /// <summary>Whether the receiver takes long for each message on average, whatever it answers.</summary>
    public bool IsSlow => _attempts > 0 && _sum / _attempts >= SlowAttempt;

    public void Count(AttemptResult result)
    {
        _sum += result.Duration;
        _attempts++;
    }
}
