using Microsoft.Extensions.Options;
using StatusUpdates.Data.Queue;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Jobs;

/// <summary>Whether an attempt that failed is followed by another one, and when. Thread-safe.</summary>
internal sealed class RetryPlan(IOptions<WorkerOptions> options)
{
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromDays(1);

    /// <summary>
    /// How long the generation waits for its next attempt; null if this failure was the last one allowed. The wait doubles with each
    /// failure up to a ceiling, and half of it is chance: what failed together does not come back together.
    /// </summary>
    /// <param name="generation">What failed, with the failures before this one.</param>
    /// <param name="failure">Why; a provider's own <see cref="TransientProviderException.RetryAfter"/> makes the wait longer, never shorter.</param>
    public TimeSpan? DelayAfter(ClaimedGeneration generation, Exception failure)
    {
        var settings = options.Value;
        if (generation.Failures + 1 >= settings.MaxFailures)
        {
            return null;
        }

        // Compared as ticks in floating point: a doubled span may be beyond what a span can hold.
        var ceiling = Math.Min(settings.RetryBackOff.Ticks * Math.Pow(2, generation.Failures), settings.MaxRetryBackOff.Ticks);
        var backOff = TimeSpan.FromTicks((long)(ceiling * (0.5 + (Random.Shared.NextDouble() / 2))));
        var asked = (failure as TransientProviderException)?.RetryAfter ?? TimeSpan.Zero;
        return asked <= TimeSpan.Zero
            ? backOff
            : (asked < LongestRetryAfter ? asked : LongestRetryAfter) + backOff;
    }
}
