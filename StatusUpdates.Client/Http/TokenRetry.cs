using StatusUpdates.Messaging;

namespace StatusUpdates.Client.Http;

/// <summary>
/// Retries after a 401. The token may have expired: a fresh one is tried at once. If that is refused too, it may be so new that the server
/// does not yet have the key that signed it, so the next one is tried after a wait. If that is refused as well, the caller gets the error.
/// </summary>
internal static class TokenRetry
{
    /// <summary>The number of refusals in a row after which no other token is tried.</summary>
    public const int MaxRefusals = 3;

    // The wait is that of a feed after its third failure: its ceiling is 4 times the first one, 2 s by default.
    private const int BackoffFailures = 3;

    // The wait takes at most a quarter of the call's time-out: a refused call must report the refusal, not a time-out.
    private const int RequestTimeoutDivisor = 4;

    /// <summary>The wait after a refusal: none after the first, then a random one of at least half its ceiling.</summary>
    /// <param name="options">Has the reconnect delays, from which the wait is computed.</param>
    /// <param name="refusals">Refusals in a row, including this one; 0 before the first.</param>
    /// <param name="sample">A random number in [0, 1).</param>
    public static TimeSpan DelayAfter(StatusUpdatesClientOptions options, int refusals, double sample) => refusals <= 1
        ? TimeSpan.Zero
        : new Backoff(options.ReconnectDelay, options.ReconnectMaxDelay).After(BackoffFailures, sample);

    /// <summary>Waits for <see cref="DelayAfter"/>, but at most for a part of the call's time-out.</summary>
    public static async ValueTask WaitAsync(StatusUpdatesClientOptions options, int refusals, CancellationToken cancellationToken)
    {
        var wait = DelayAfter(options, refusals, Random.Shared.NextDouble());
        var max = options.RequestTimeout / RequestTimeoutDivisor;
        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait < max ? wait : max, options.TimeProvider, cancellationToken).ConfigureAwait(false);
        }
    }
}
