namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>The state of a receiver during a run, and how long to pause deliveries to it. Not thread-safe.</summary>
internal sealed class ReceiverHealth(DeliveryPlan plan)
{
    // One or two generations can fail because of the content of their messages.
    private const int DownThreshold = 3;

    private readonly HashSet<string> _failedChains = new(StringComparer.Ordinal);
    private TimeSpan? _retryAfter;
    private TimeSpan? _longestWait;

    /// <summary>Whether it was down when the run began: then only probes are attempted.</summary>
    public bool WasDown { get; } = plan.FailingGenerations >= DownThreshold;

    /// <summary>Whether any delivery succeeded in this run.</summary>
    public bool HasSucceeded { get; private set; }

    /// <summary>Whether the latest attempt succeeded; null before the first.</summary>
    public bool? LastSucceeded { get; private set; }

    /// <summary>Whether something has failed since the last success.</summary>
    public bool IsFailing => LastSucceeded == false;

    /// <summary>Whether it was down and accepts messages again.</summary>
    public bool HasRecovered => WasDown && HasSucceeded;

    /// <summary>Whether another attempt may start.</summary>
    public bool MayTry => _retryAfter is null && _failedChains.Count < DownThreshold;

    /// <summary>How long until the next delivery is due that is not due yet; null if there is none.</summary>
    public TimeSpan? NextDue { get; private set; } = plan.NextDue;

    public void Succeeded()
    {
        HasSucceeded = true;
        LastSucceeded = true;
        _failedChains.Clear();
    }

    /// <param name="chain">The chain of the delivery that failed.</param>
    /// <param name="result">The result of the attempt.</param>
    /// <param name="next">How long until it is attempted again; null if it is not.</param>
    public void Failed(string chain, AttemptResult result, TimeSpan? next)
    {
        LastSucceeded = false;
        if (result.RetryAfter is { } wait)
        {
            // It applies to the receiver as a whole, not to this message.
            _retryAfter = _retryAfter > wait ? _retryAfter : wait;
        }

        if (next is null)
        {
            return;
        }

        NextDue = NextDue < next ? NextDue : next;
        if (result.IsReceiverFailure)
        {
            _failedChains.Add(chain);
            _longestWait = _longestWait > next ? _longestWait : next;
        }
    }

    /// <summary>
    /// How long to start nothing; null for no pause. While a receiver is down, its log keeps growing: without a pause, its cursor would be claimed over
    /// and over. The pause is as long as that of the delivery that has failed most often.
    /// </summary>
    /// <param name="soon">The pause while it is down and something is due.</param>
    /// <param name="skippedDue">Whether due deliveries were skipped.</param>
    public TimeSpan? Pause(TimeSpan soon, bool skippedDue)
    {
        if (_retryAfter is not null)
        {
            return _retryAfter;
        }

        var isDown = (WasDown && !HasSucceeded) || _failedChains.Count >= DownThreshold;
        return isDown ? _longestWait ?? (skippedDue ? soon : NextDue ?? soon) : null;
    }
}
