namespace StatusUpdates.Client;

/// <summary>
/// Decides, after each failure, what a feed tries next and when. It knows no sockets: failures in, transport and wait out. Not thread-safe:
/// one feed's.
/// </summary>
/// <param name="options">The waits.</param>
/// <param name="random">Gives numbers from 0 up to, but not, 1.</param>
internal sealed class ReconnectPlan(StatusUpdatesClientOptions options, Func<double> random)
{
    // One refusal is a proxy's word; silence may be chance, once.
    private const int EnoughToFallBack = 2;

    // A server that restarts cuts as well, but hardly this often in a row.
    private const int EnoughCuts = 3;

    // Of the wait between two tries of a WebSocket: 2^4 = 16 times as long.
    private const int MostDoublings = 4;

    // What asks for more is mistaken, or out of the range of timers.
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromMinutes(10);

    private readonly Backoff _backoff = new(options.ReconnectDelay, options.ReconnectMaxDelay);
    private int _failures;
    private int _refusals;
    private int _blocked;
    private int _cuts;
    private int _fallbacks;
    private bool _isPollAnswered;
    private long? _throughAt;
    private long _fellBackAt;
    private TimeSpan _socketWait;

    /// <summary>What to try next.</summary>
    public StatusTransport Transport { get; private set; }

    /// <summary>Whether a feed that is polling should try a WebSocket again.</summary>
    public bool IsSocketDue =>
        Transport == StatusTransport.LongPolling && options.TimeProvider.GetElapsedTime(_fellBackAt) >= _socketWait;

    /// <summary>The connection stands; with long polling: a poll was answered.</summary>
    public void GotThrough()
    {
        _refusals = 0;
        if (Transport == StatusTransport.LongPolling)
        {
            _failures = 0;
            _isPollAnswered = true;
            return;
        }

        _throughAt ??= options.TimeProvider.GetTimestamp();
        _blocked = 0;
    }

    /// <summary>Leaves long polling for a try of a WebSocket.</summary>
    public void TrySocket() => Transport = StatusTransport.WebSocket;

    /// <summary>How long to wait until the next try.</summary>
    /// <exception cref="StatusUpdatesException">Fresh tokens were refused like the one before them, with nothing between: see <see cref="Refusals"/>.</exception>
    public TimeSpan After(FeedFailure failure)
    {
        var isCut = JudgeConnection(failure.Kind);
        _refusals = failure.Kind == FeedFailureKind.TokenRefused ? _refusals + 1 : 0;
        if (_refusals == Refusals.Final)
        {
            // Once told, it is over with: who takes the feed up again has as many tries as before.
            _refusals = 0;
            throw failure.Exception;
        }

        switch (failure.Kind)
        {
            case FeedFailureKind.TokenRefused or FeedFailureKind.TokenExpired when _failures == 0:
                // The token is at fault, not the server: with another one it may go on at once. But only once.
                _failures = 1;
                return TimeSpan.Zero;
            case FeedFailureKind.TokenRefused when _refusals > 1:
                return Refusals.WaitAfter(options, _refusals, random());
            case FeedFailureKind.Limited:
                if (!_isPollAnswered)
                {
                    ReturnToSocket();
                }

                var told = failure.RetryAfter ?? TimeSpan.Zero;
                return (told < LongestRetryAfter ? told : LongestRetryAfter) + NextDelay();
            case FeedFailureKind.UpgradeRefused or FeedFailureKind.NotThrough when Transport == StatusTransport.WebSocket:
                _blocked += failure.Kind == FeedFailureKind.UpgradeRefused ? EnoughToFallBack : 1;
                if (_blocked >= EnoughToFallBack)
                {
                    FallBack();

                    // At once: if it fails too, that costs a wait.
                    return TimeSpan.Zero;
                }

                break;
            case FeedFailureKind.CutOff when isCut && _cuts >= EnoughCuts:
                // It opens, and something on the way does not let it live.
                FallBack();
                return TimeSpan.Zero;
            default:
                ReturnToSocket();
                break;
        }

        return NextDelay();
    }

    // What the WebSocket that has just ended, if one stood, says about the next: whether it was cut as soon as it had opened.
    private bool JudgeConnection(FeedFailureKind kind)
    {
        if (_throughAt is not { } since)
        {
            return false;
        }

        _throughAt = null;
        var isStable = options.TimeProvider.GetElapsedTime(since) >= options.StableAfter;
        if (isStable)
        {
            _failures = 0;
        }

        if (kind == FeedFailureKind.CutOff && !isStable)
        {
            _cuts++;
            return true;
        }

        _cuts = 0;
        _fallbacks = 0;
        return false;
    }

    private void FallBack()
    {
        Transport = StatusTransport.LongPolling;
        _isPollAnswered = false;
        _fellBackAt = options.TimeProvider.GetTimestamp();
        var factor = 1 << Math.Min(_fallbacks++, MostDoublings);
        _socketWait = options.WebSocketRetryInterval * factor * (0.5 + (random() / 2));
    }

    // If polling does not work either, it was not for the WebSocket; and if it never did, the fallback was none.
    private void ReturnToSocket()
    {
        if (Transport == StatusTransport.LongPolling && !_isPollAnswered)
        {
            _fallbacks--;
        }

        Transport = StatusTransport.WebSocket;
    }

    private TimeSpan NextDelay() => _backoff.DelayOf(_failures++, random());
}
