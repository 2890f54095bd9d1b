using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Security;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports;

/// <summary>
/// A connection that is sent a feed: the part common to all transports. It ends when its token expires; a peer that accepts no data is
/// aborted, and a closing connection that does not end is cut off.
/// Concurrency: the sending side runs by itself; the clock, the drain and the receiving side (if any) call in from other threads.
/// Lifecycle: open -> closing -> ended; a broken or overdue connection is aborted.
/// </summary>
internal abstract class FeedConnection : TransportConnection
{
    private TokenSchedule _token;

    // Used by the clock only: the token whose expiry was announced, and timestamps.
    private TokenSchedule? _warnedToken;
    private long _lastHeartbeat;
    private long? _closingSince;

    protected FeedConnection(HttpContext http, FeedCursor cursor, AccessToken token, ConnectionContext context, string transport)
        : base(http, transport)
    {
        _token = TokenSchedule.Of(token, context.Time.GetUtcNow());
        _lastHeartbeat = context.Time.GetTimestamp();
        Cursor = cursor;
        UserId = token.UserId;
        Context = context;
    }

    /// <summary>Whether a write is pending that the peer or the network has not accepted yet.</summary>
    internal bool IsWriting => Sender.WriteStarted is not null;

    /// <summary>The position up to which updates were sent to the client.</summary>
    internal LogPosition Position => Cursor.Position;

    /// <summary>The expiry of the current token.</summary>
    internal DateTimeOffset TokenExpiresAt => Volatile.Read(ref _token).ExpiresAt;

    protected FeedCursor Cursor { get; }

    protected ConnectionContext Context { get; }

    protected string UserId { get; }

    protected abstract FeedSender Sender { get; }

    protected abstract bool IsClosing { get; }

    public override void Tick(long timestamp, DateTimeOffset now)
    {
        if (IsClosing)
        {
            _closingSince ??= timestamp;
            if (Since(_closingSince.Value, timestamp) >= Context.Options.CloseTimeout)
            {
                Abort();
            }

            return;
        }

        CheckToken(now);
        CheckPeer(timestamp, IsBlocked(timestamp));
        // Rather a tick early than a tick late: the interval is guaranteed.
        if (Since(_lastHeartbeat, timestamp) > Context.Options.HeartbeatInterval - ConnectionClock.Interval)
        {
            _lastHeartbeat = timestamp;
            Heartbeat();
        }
    }

    /// <summary>Sends until the connection ends. Never throws: a broken connection is aborted.</summary>
    protected async Task SendAsync()
    {
        try
        {
            await Sender.RunAsync(UserId);
        }
        catch (Exception e) when (IsConnectionLoss(e))
        {
            Abort();
        }
        catch (Exception e)
        {
            Context.LogFailed(Transport, e);
            Abort();
        }
    }

    /// <summary>Replaces the token.</summary>
    protected void Renew(AccessToken token) => Volatile.Write(ref _token, TokenSchedule.Of(token, Context.Time.GetUtcNow()));

    /// <summary>The token has expired: close.</summary>
    protected abstract void Expire();

    /// <summary>The token is about to expire: notify the client, if the transport can.</summary>
    protected virtual void Warn(DateTimeOffset expiresAt)
    {
    }

    /// <summary>Called every second.</summary>
    /// <param name="timestamp">The current timestamp.</param>
    /// <param name="isBlocked">Whether a write is blocked. Then only the send time-out applies: the peer's replies wait behind data that it does not accept.</param>
    protected virtual void CheckPeer(long timestamp, bool isBlocked)
    {
    }

    /// <summary>Called every <see cref="ConnectionOptions.HeartbeatInterval"/>.</summary>
    protected abstract void Heartbeat();

    protected TimeSpan Since(long then, long timestamp) => Context.Time.GetElapsedTime(then, timestamp);

    protected static bool IsConnectionLoss(Exception exception) => exception is IOException or OperationCanceledException or ObjectDisposedException;

    private void CheckToken(DateTimeOffset now)
    {
        var token = Volatile.Read(ref _token);
        if (now >= token.EndAt)
        {
            Expire();
        }
        else if (now >= token.WarnAt && !ReferenceEquals(_warnedToken, token))
        {
            _warnedToken = token;
            Warn(token.ExpiresAt);
        }
    }

    private bool IsBlocked(long timestamp)
    {
        if (Sender.WriteStarted is not { } started || Since(started, timestamp) < ConnectionClock.Interval / 2)
        {
            return false;
        }

        if (Since(started, timestamp) >= Context.Options.SendTimeout)
        {
            Context.LogSlow(Transport, Context.Options.SendTimeout);
            Context.Metrics.SlowAborted(Transport);
            Abort();
        }

        return true;
    }
}
