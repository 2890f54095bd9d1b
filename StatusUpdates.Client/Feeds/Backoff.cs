namespace StatusUpdates.Client;

/// <summary>
/// Exponential back-off with full jitter: evenly between zero and a ceiling that doubles with every attempt up to a cap. (Of the usual
/// kinds of jitter it spreads clients best for the same total work.)
/// </summary>
/// <param name="Initial">The first ceiling.</param>
/// <param name="Cap">The highest ceiling.</param>
internal readonly record struct Backoff(TimeSpan Initial, TimeSpan Cap)
{
    /// <summary>The longest that the wait after this attempt, counted from 0, can be.</summary>
    public TimeSpan CeilingOf(int attempt)
    {
        // Beyond 2^62 ticks the cap has long been reached.
        var doublings = Math.Min(attempt, 62);
        return Initial.Ticks > Cap.Ticks >> doublings ? Cap : TimeSpan.FromTicks(Initial.Ticks << doublings);
    }

    /// <param name="attempt">Counted from 0.</param>
    /// <param name="sample">Random, from 0 up to, but not, 1.</param>
    public TimeSpan DelayOf(int attempt, double sample) => CeilingOf(attempt) * sample;
}
