using StatusUpdates.Client.Http;
using StatusUpdates.Messaging;

namespace StatusUpdates.Client.Feeds;

/// <summary>
/// Decides, after each failure, what a feed tries next and when. Does no I/O: failures in, transport and wait out. One per feed; not
/// thread-safe.
/// </summary>
/// <param name="options">The waits.</param>
/// <param name="random">Returns random numbers in [0, 1).</param>
internal sealed class ReconnectPlan(StatusUpdatesClientOptions options, Func<double> random)
{
    // A refused upgrade is conclusive and counts as this many; one connection that was not established may be chance and counts as one.
    private const int FallbackThreshold = 2;

    // A restarting server cuts connections too, but hardly this often in a row.
    private const int CutThreshold = 3;

    // Of the wait before the next WebSocket attempt: how many times as long it gets.
    private const int MaxSocketWaitFactor = 16;

    // A longer one is a mistake, or out of the range of timers.
    private static readonly TimeSpan MaxRetryAfter = TimeSpan.FromMinutes(10);

    // Of the usual kinds of jitter, a wait that is random as a whole spreads clients best for the same total work.
    private readonly Backoff _backoff = new(options.ReconnectDelay, options.ReconnectMaxDelay, Jitter: 1);
    private readonly Backoff _socketBackoff = new(options.WebSocketRetryInterval, options.WebSocketRetryInterval * MaxSocketWaitFactor);
    private int _failures;
    private int _refusals;
    private int _blocked;
    private int _cuts;
    private int _fallbacks;
    private bool _isPollAnswered;
    private long? _connectedAt;
    private long _fellBackAt;
    private TimeSpan _socketWait;

    /// <summary>What to try next.</summary>
    public StatusTransport Transport { get; private set; }

    /// <summary>Whether a feed that is polling should try a WebSocket again.</summary>
    public bool IsSocketDue =>
        Transport == StatusTransport.LongPolling && options.TimeProvider.GetElapsedTime(_fellBackAt) >= _socketWait;

    /// <summary>Records that a WebSocket is connected or that a poll was answered.</summary>
    public void OnConnected()
    {
        _refusals = 0;
        if (Transport == StatusTransport.LongPolling)
        {
            _failures = 0;
            _isPollAnswered = true;
            return;
        }

        _connectedAt ??= options.TimeProvider.GetTimestamp();
        _blocked = 0;
    }

    /// <summary>Switches from long polling to another WebSocket attempt.</summary>
    public void TrySocket() => Transport = StatusTransport.WebSocket;

    /// <summary>Plans the next attempt and returns the wait before it.</summary>
    /// <exception cref="StatusUpdatesException">Too many tokens in a row were refused: see <see cref="TokenRetry"/>.</exception>
    public TimeSpan After(FeedFailure failure)
    {
        var isCut = RecordEnd(failure.Kind);
        _refusals = failure.Kind == FeedFailureKind.TokenRefused ? _refusals + 1 : 0;
        if (_refusals == TokenRetry.MaxRefusals)
        {
            // Starts over: a caller that enumerates the feed again has as many attempts as before.
            _refusals = 0;
            throw failure.Exception;
        }

        switch (failure.Kind)
        {
            case FeedFailureKind.TokenRefused or FeedFailureKind.TokenExpired when _failures == 0:
                // The token is at fault, not the server: another one may be tried at once, but only once.
                _failures = 1;
                return TimeSpan.Zero;
            case FeedFailureKind.TokenRefused when _refusals > 1:
                return TokenRetry.DelayAfter(options, _refusals, random());
            case FeedFailureKind.Unavailable:
                if (!_isPollAnswered)
                {
                    ReturnToSocket();
                }

                var retryAfter = failure.RetryAfter ?? TimeSpan.Zero;
                return (retryAfter < MaxRetryAfter ? retryAfter : MaxRetryAfter) + NextDelay();
            case FeedFailureKind.UpgradeRefused or FeedFailureKind.NotEstablished when Transport == StatusTransport.WebSocket:
                _blocked += failure.Kind == FeedFailureKind.UpgradeRefused ? FallbackThreshold : 1;
                if (_blocked >= FallbackThreshold)
                {
                    FallBack();

                    // Polls at once: only if that fails too, the feed waits.
                    return TimeSpan.Zero;
                }

                break;
            case FeedFailureKind.CutOff when isCut && _cuts >= CutThreshold:
                // WebSockets open, but an intermediary keeps cutting them.
                FallBack();
                return TimeSpan.Zero;
            default:
                ReturnToSocket();
                break;
        }

        return NextDelay();
    }

    // Returns whether a WebSocket has just ended that was cut soon after it had connected.
    private bool RecordEnd(FeedFailureKind kind)
    {
        if (_connectedAt is not { } since)
        {
            return false;
        }

        _connectedAt = null;
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
        _socketWait = _socketBackoff.After(++_fallbacks, random());
    }

    // If polling fails too, the WebSocket was not the problem. If no poll was ever answered, the fallback does not count.
    private void ReturnToSocket()
    {
        if (Transport == StatusTransport.LongPolling && !_isPollAnswered)
        {
            _fallbacks--;
        }

        Transport = StatusTransport.WebSocket;
    }

    private TimeSpan NextDelay() => _backoff.After(++_failures, random());
}
