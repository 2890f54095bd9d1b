using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Worker.Webhooks;

/// <summary>What a turn learns of its receiver, and how long to leave it alone. Not thread-safe.</summary>
internal sealed class ReceiverHealth(DeliveryPlan plan)
{
    // One or two generations can fail for what is in their messages.
    private const int StruckMeansDown = 3;

    private readonly HashSet<string> _struck = new(StringComparer.Ordinal);
    private TimeSpan? _leaveAlone;
    private TimeSpan? _longestWait;
    private TimeSpan? _nextDue = plan.NextDue;

    /// <summary>Whether it was down when the turn began: nothing is tried but what shows whether it still is.</summary>
    public bool WasDown { get; } = plan.Struck >= StruckMeansDown;

    /// <summary>Whether anything was taken in this turn.</summary>
    public bool HasSucceeded { get; private set; }

    /// <summary>Whether the latest attempt succeeded; null before the first.</summary>
    public bool? LastSucceeded { get; private set; }

    /// <summary>Whether something failed since anything was taken.</summary>
    public bool IsFailing => LastSucceeded == false;

    /// <summary>Whether it was down and takes messages again.</summary>
    public bool HasRecovered => WasDown && HasSucceeded;

    /// <summary>Whether another attempt can be begun.</summary>
    public bool MayTry => _leaveAlone is null && _struck.Count < StruckMeansDown;

    /// <summary>How long until a delivery is due that is not yet; null if there is none.</summary>
    public TimeSpan? NextDue => _nextDue;

    public void Succeeded()
    {
        HasSucceeded = true;
        LastSucceeded = true;
        _struck.Clear();
    }

    /// <param name="chain">What failed.</param>
    /// <param name="result">How.</param>
    /// <param name="next">How long until it is attempted again; null if it is not.</param>
    public void Failed(string chain, AttemptResult result, TimeSpan? next)
    {
        LastSucceeded = false;
        if (result.RetryAfter is { } wait)
        {
            // Meant for the receiver as a whole, whichever of its messages was answered so.
            _leaveAlone = _leaveAlone > wait ? _leaveAlone : wait;
        }

        if (next is null)
        {
            return;
        }

        _nextDue = _nextDue < next ? _nextDue : next;
        if (result.IsReceiversTrouble)
        {
            _struck.Add(chain);
            _longestWait = _longestWait > next ? _longestWait : next;
        }
    }

    /// <summary>
    /// How long to begin nothing; null for no such time. While a receiver is down its log grows: without a pause that would be a reason to look
    /// again and again. It is as long as that of the delivery that has failed most often.
    /// </summary>
    /// <param name="soon">What is waited at least while it is down and something is due.</param>
    /// <param name="leftDue">Whether something is due that was not tried.</param>
    public TimeSpan? Pause(TimeSpan soon, bool leftDue)
    {
        if (_leaveAlone is not null)
        {
            return _leaveAlone;
        }

        var isDown = (WasDown && !HasSucceeded) || _struck.Count >= StruckMeansDown;
        return isDown ? _longestWait ?? (leftDue ? soon : _nextDue ?? soon) : null;
    }
}
