using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Queue;

/// <summary>
/// Whether a failed attempt is followed by another one, and when: the same for every worker, whatever it is written in. Thread-safe.
/// </summary>
public sealed class RetryPlan(AttemptOptions options)
{
    private static readonly TimeSpan MaxRetryAfter = TimeSpan.FromDays(1);

    /// <summary>
    /// How long the generation waits for its next attempt; null if this failure was the last one allowed, or if the next attempt could begin only
    /// after the deadline. The wait doubles with each failure up to a maximum, and half of it is random: generations that failed together must not
    /// retry together.
    /// </summary>
    /// <param name="failures">The generation's failures before this one.</param>
    /// <param name="retryAfter">How long the provider asks to wait, which makes the wait longer, never shorter; more than a day counts as a day.</param>
    /// <param name="timeLeft">The time until the deadline; null if there is none.</param>
    public TimeSpan? DelayAfter(int failures, TimeSpan? retryAfter, TimeSpan? timeLeft)
    {
        if (failures + 1 >= options.MaxFailures)
        {
            return null;
        }

        var asked = new TimeSpan(Math.Clamp(retryAfter.GetValueOrDefault().Ticks, 0, MaxRetryAfter.Ticks));
        var delay = asked + new Backoff(options.RetryBackOff, options.MaxRetryBackOff).After(failures + 1);
        return delay >= timeLeft ? null : delay;
    }
}
