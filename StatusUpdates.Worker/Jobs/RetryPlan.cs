using Microsoft.Extensions.Options;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Jobs;

/// <summary>Whether a failed attempt is followed by another one, and when. Thread-safe.</summary>
internal sealed class RetryPlan(IOptions<WorkerOptions> options)
{
    private static readonly TimeSpan MaxRetryAfter = TimeSpan.FromDays(1);

    /// <summary>
    /// How long the generation waits for its next attempt; null if this failure was the last one allowed. The wait doubles with each
    /// failure up to a maximum, and half of it is random: generations that failed together must not retry together.
    /// </summary>
    /// <param name="generation">The generation, with its failures before this one.</param>
    /// <param name="failure">The failure; a provider's <see cref="TransientProviderException.RetryAfter"/> makes the wait longer, never shorter.</param>
    public TimeSpan? DelayAfter(ClaimedGeneration generation, Exception failure)
    {
        var settings = options.Value;
        if (generation.Failures + 1 >= settings.MaxFailures)
        {
            return null;
        }

        var asked = (failure as TransientProviderException)?.RetryAfter ?? TimeSpan.Zero;
        return TimeSpans.Clamp(asked, TimeSpan.Zero, MaxRetryAfter)
            + new Backoff(settings.RetryBackOff, settings.MaxRetryBackOff).After(generation.Failures + 1);
    }
}
