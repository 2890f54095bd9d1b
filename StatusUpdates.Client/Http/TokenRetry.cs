using StatusUpdates.Messaging;

namespace StatusUpdates.Client.Http;

/// <summary>
/// Retries after a 401. The token may have expired: a fresh one is tried at once. If that is refused too, it may be so new that the server
/// does not have its key yet, so the next one is tried after a wait. If that is refused as well, the caller gets the error.
/// </summary>
internal static class TokenRetry
{
    /// <summary>The number of refusals in a row after which no other token is tried.</summary>
    public const int MaxRefusals = 3;

    // As after the third failure of a feed: 4 times the first ceiling, 2 s by default.
    private const int FeedFailures = 3;

    // A refused call must report the refusal, not a timeout.
    private const int PartOfRequestTimeout = 4;

    /// <summary>The wait after a refusal: none after the first, then a random one of at least half its ceiling.</summary>
    /// <param name="options">The waits.</param>
    /// <param name="refusals">Refusals in a row, including this one; 0 before the first.</param>
    /// <param name="sample">A random number in [0, 1).</param>
    public static TimeSpan DelayAfter(StatusUpdatesClientOptions options, int refusals, double sample) => refusals <= 1
        ? TimeSpan.Zero
        : new Backoff(options.ReconnectDelay, options.ReconnectMaxDelay).After(FeedFailures, sample);

    /// <summary>Waits for <see cref="DelayAfter"/>, but at most for a part of the call's timeout.</summary>
    public static async ValueTask WaitAsync(StatusUpdatesClientOptions options, int refusals, CancellationToken cancellationToken)
    {
        var wait = DelayAfter(options, refusals, Random.Shared.NextDouble());
        var max = options.RequestTimeout / PartOfRequestTimeout;
        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait < max ? wait : max, options.TimeProvider, cancellationToken).ConfigureAwait(false);
        }
    }
}
