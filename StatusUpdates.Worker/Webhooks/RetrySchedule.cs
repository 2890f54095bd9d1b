namespace StatusUpdates.Worker.Webhooks;

/// <summary>When a delivery is attempted again.</summary>
internal static class RetrySchedule
{
    /// <summary>How long to wait after a failure.</summary>
    /// <param name="delays">After the first, the second, … failure.</param>
    /// <param name="failures">How many failures there were, this one included.</param>
    /// <param name="jitter">0 up to 1.</param>
    /// <param name="retryAfter">How long the receiver asked for; it is waited at least that long.</param>
    /// <returns>Null if that was the last attempt.</returns>
    public static TimeSpan? After(IReadOnlyList<TimeSpan> delays, int failures, double jitter, TimeSpan? retryAfter)
    {
        if (failures > delays.Count)
        {
            return null;
        }

        // From a fifth less to a fifth more, so that what failed together does not come back together.
        var wait = delays[failures - 1] * (0.8 + (0.4 * jitter));
        return retryAfter > wait ? retryAfter : wait;
    }
}
