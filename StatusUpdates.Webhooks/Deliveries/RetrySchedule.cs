namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>When a delivery is attempted again.</summary>
internal static class RetrySchedule
{
    /// <summary>How long to wait after a failure.</summary>
    /// <param name="delays">The delays after the first, the second, … failure.</param>
    /// <param name="failures">The number of failures, including this one.</param>
    /// <param name="jitter">A random number from 0 to 1.</param>
    /// <param name="retryAfter">How long the receiver asked to wait; the wait is at least that long.</param>
    /// <returns>Null if that was the last attempt.</returns>
    public static TimeSpan? After(IReadOnlyList<TimeSpan> delays, int failures, double jitter, TimeSpan? retryAfter)
    {
        if (failures > delays.Count)
        {
            return null;
        }

        // From a fifth less to a fifth more: deliveries that failed together must not be retried together.
        var wait = delays[failures - 1] * (0.8 + (0.4 * jitter));
        return retryAfter > wait ? retryAfter : wait;
    }
}
