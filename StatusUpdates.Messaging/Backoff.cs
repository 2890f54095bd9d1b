namespace StatusUpdates.Messaging;

/// <summary>
/// Exponential back-off: the pause after a failure has a ceiling that doubles with each further failure in a row, up to a cap. A share of the pause is
/// random, because what failed together must not be repeated together. The caller counts the failures, and starts over after a success.
/// </summary>
/// <param name="Initial">The ceiling after the first failure.</param>
/// <param name="Cap">The highest ceiling.</param>
/// <param name="Jitter">The random share: with 0 the pause is its ceiling, with 1 it is anything from zero to its ceiling.</param>
public readonly record struct Backoff(TimeSpan Initial, TimeSpan Cap, double Jitter = 0.5)
{
    /// <summary>The pause after this many failures in a row.</summary>
    /// <param name="failures">Counted from 1.</param>
    public TimeSpan After(int failures) => After(failures, Random.Shared.NextDouble());

    /// <inheritdoc cref="After(int)"/>
    /// <param name="failures">Counted from 1.</param>
    /// <param name="sample">A random number in [0, 1).</param>
    public TimeSpan After(int failures, double sample)
    {
        // The cap is reached long before 2^62 ticks.
        var doublings = Math.Clamp(failures - 1, 0, 62);
        var ceiling = Initial.Ticks > Cap.Ticks >> doublings ? Cap : TimeSpan.FromTicks(Initial.Ticks << doublings);
        return ceiling * (1 - Jitter + (Jitter * sample));
    }

    /// <summary>Between half and all of a pause that does not grow.</summary>
    public static TimeSpan Spread(TimeSpan pause) => new Backoff(pause, pause).After(1);
}
