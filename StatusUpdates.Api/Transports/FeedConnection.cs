using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Security;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports;

/// <summary>
/// A connection that is sent a feed: what is the same for every transport. Its token ends it, a peer that takes no byte is aborted, and
/// a closing one that does not end is cut off.
/// Concurrency: the sending side runs by itself; the clock, the drain and, where there is one, the receiving side come from outside.
/// Lifecycle: open -> closing -> ended; a broken or overdue connection is aborted.
/// </summary>
internal abstract class FeedConnection : ITransportConnection
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly RequestAbort _abort;
    private readonly string _transport;
    private TokenClock _token;

    // Of the clock alone: the token that was warned of, and timestamps.
    private TokenClock? _warnedOf;
    private long _beaten;
    private long _closing;

    protected FeedConnection(HttpContext http, FeedCursor cursor, AccessToken token, ConnectionContext context, string transport)
    {
        _abort = new RequestAbort(http);
        _transport = transport;
        _token = TokenClock.Of(token, BearerOptionsSetup.ClockSkew, context.Time.GetUtcNow());
        _beaten = context.Time.GetTimestamp();
        Cursor = cursor;
        UserId = token.UserId;
        Context = context;
    }

    public Task Ended => _ended.Task;

    /// <summary>Whether a write is under way that the peer, or the network, has not taken yet.</summary>
    internal bool IsWriting => Sender.WriteStarted is not null;

    /// <summary>The position up to which the client has been given updates.</summary>
    internal LogPosition Position => Cursor.Position;

    /// <summary>The expiry of the token that holds.</summary>
    internal DateTimeOffset TokenExpiresAt => Volatile.Read(ref _token).ExpiresAt;

    protected FeedCursor Cursor { get; }

    protected ConnectionContext Context { get; }

    protected string UserId { get; }

    protected abstract FeedSender Sender { get; }

    protected abstract bool IsClosing { get; }

    public void Tick(long timestamp, DateTimeOffset now)
    {
        if (IsClosing)
        {
            if (_closing == 0)
            {
                _closing = timestamp;
            }
            else if (Since(_closing, timestamp) >= Context.Options.CloseTimeout)
            {
                Abort();
            }

            return;
        }

        CheckToken(now);
        Check(timestamp, IsBlocked(timestamp));
        // A tick early rather than a tick late: the interval is a promise.
        if (Since(_beaten, timestamp) > Context.Options.HeartbeatInterval - ConnectionClock.Interval)
        {
            _beaten = timestamp;
            Beat();
        }
    }

    public abstract void Drain();

    public void Abort() => _abort.Abort();

    /// <summary>The request is about to be over: it can no longer be aborted. Call it before the handler returns.</summary>
    public void Release() => _abort.Release();

    /// <summary>
    /// Serves the connection to its end. Hold it in its place first, so that the clock and the drain see it before its client hears that it stands.
    /// </summary>
    public async Task RunAsync()
    {
        try
        {
            await ServeAsync();
        }
        finally
        {
            _ended.SetResult();
        }
    }

    /// <summary>Sends, and receives where the transport does, to the end.</summary>
    protected abstract Task ServeAsync();

    /// <summary>Sends to the end. Nothing escapes: a connection that broke is aborted.</summary>
    protected async Task SendAsync()
    {
        try
        {
            await Sender.RunAsync(UserId);
        }
        catch (Exception e) when (IsLoss(e))
        {
            Abort();
        }
        catch (Exception e)
        {
            Context.LogFailed(_transport, e);
            Abort();
        }
    }

    /// <summary>The token that holds from now on.</summary>
    protected void Renew(AccessToken token)
    {
        Volatile.Write(ref _token, TokenClock.Of(token, BearerOptionsSetup.ClockSkew, Context.Time.GetUtcNow()));
    }

    /// <summary>The token has expired: close.</summary>
    protected abstract void Expire();

    /// <summary>The token is about to expire; where the client can be told, tell it.</summary>
    protected virtual void Warn(DateTimeOffset expiresAt)
    {
    }

    /// <summary>Every second.</summary>
    /// <param name="timestamp">Now.</param>
    /// <param name="isBlocked">Whether a write is blocked. Such a peer is judged by that alone: its answers wait behind what it does not take.</param>
    protected virtual void Check(long timestamp, bool isBlocked)
    {
    }

    /// <summary>Every <see cref="ConnectionOptions.HeartbeatInterval"/>.</summary>
    protected abstract void Beat();

    protected TimeSpan Since(long then, long timestamp) => Context.Time.GetElapsedTime(then, timestamp);

    protected static bool IsLoss(Exception exception) => exception is IOException or OperationCanceledException or ObjectDisposedException;

    private void CheckToken(DateTimeOffset now)
    {
        var token = Volatile.Read(ref _token);
        if (now >= token.EndAt)
        {
            Expire();
        }
        else if (now >= token.WarnAt && !ReferenceEquals(_warnedOf, token))
        {
            _warnedOf = token;
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
            Context.LogSlow(_transport, Context.Options.SendTimeout);
            Context.Metrics.SlowAborted(_transport);
            Abort();
        }

        return true;
    }
}
