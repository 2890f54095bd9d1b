namespace StatusUpdates.Client;

/// <summary>
/// What follows a 401. The token may be over: a fresh one is tried at once. If that is refused too, it may be so new that the server has yet to learn of its key,
/// so the next one is tried after a wait. Only then it is the caller's to know.
/// </summary>
internal static class Refusals
{
    /// <summary>The refusal in a row, counted from 1, after which no other token is tried.</summary>
    public const int Final = 3;

    // Of the back-off: 2^2 = 4 times the first ceiling, 2 s by default.
    private const int Doublings = 2;

    // A call that is refused must tell so, and not that its time is over.
    private const int PartOfRequestTimeout = 4;

    /// <summary>How long to wait after a refusal: not at all after the first, then a time that is random, but never next to nothing.</summary>
    /// <param name="options">The waits.</param>
    /// <param name="refusals">Refusals in a row, this one included.</param>
    /// <param name="sample">Random, from 0 up to, but not, 1.</param>
    public static TimeSpan WaitAfter(StatusUpdatesClientOptions options, int refusals, double sample) => refusals == 1
        ? TimeSpan.Zero
        : new Backoff(options.ReconnectDelay, options.ReconnectMaxDelay).CeilingOf(Doublings) * (0.5 + (sample / 2));

    /// <summary>Waits as long, in the time that a call has.</summary>
    public static async ValueTask WaitAsync(StatusUpdatesClientOptions options, int refusals, CancellationToken cancellationToken)
    {
        var wait = WaitAfter(options, refusals, Random.Shared.NextDouble());
        var most = options.RequestTimeout / PartOfRequestTimeout;
        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait < most ? wait : most, options.TimeProvider, cancellationToken).ConfigureAwait(false);
        }
    }
}
