using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports.LongPolling;

/// <summary>
/// One poll, for as long as it waits. It ends with what there is, or with nothing: when its time is over, its token expires, the
/// instance drains, or the client goes. Dispose it when it is answered.
/// </summary>
internal sealed class PollConnection : ITransportConnection, IDisposable
{
    /// <summary>The transport's name in metrics.</summary>
    public const string Transport = "long_poll";

    private readonly FeedCursor _cursor;
    private readonly RequestAbort _abort;
    private readonly DateTimeOffset _tokenEndsAt;
    private readonly ITimer _timer;
    private readonly CancellationTokenRegistration _gone;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _isOver;

    public PollConnection(HttpContext http, FeedCursor cursor, AccessToken token, TimeSpan timeout, TimeProvider time)
    {
        _abort = new RequestAbort(http);
        _cursor = cursor;
        _tokenEndsAt = TokenClock.Of(token, BearerOptionsSetup.ClockSkew, time.GetUtcNow()).EndAt;
        _timer = time.CreateTimer(static poll => ((PollConnection)poll!).End(), this, timeout, Timeout.InfiniteTimeSpan);
        _gone = http.RequestAborted.UnsafeRegister(static poll => ((PollConnection)poll!).End(), this);
    }

    public Task Ended => _ended.Task;

    /// <summary>Whether it is to be answered now, with whatever there is.</summary>
    public bool IsOver => Volatile.Read(ref _isOver) != 0;

    public void Tick(long timestamp, DateTimeOffset now)
    {
        if (now >= _tokenEndsAt)
        {
            End();
        }
    }

    public void Drain() => End();

    public void Abort() => _abort.Abort();

    public void Release() => _abort.Release();

    public void Dispose()
    {
        _gone.Dispose();
        _timer.Dispose();
        _ended.TrySetResult();
    }

    private void End()
    {
        Volatile.Write(ref _isOver, 1);
        _cursor.Signal();
    }
}
