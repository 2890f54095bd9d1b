using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports.LongPolling;

/// <summary>
/// One waiting poll. It ends with updates, or with none: when its time-out is over, its token expires, the instance drains, or the
/// client disconnects.
/// </summary>
/// <param name="http">Its request.</param>
/// <param name="cursor">The source of updates.</param>
/// <param name="token">The caller's token.</param>
/// <param name="timeout">How long it waits; zero: not at all, it takes what is there.</param>
/// <param name="context">What all connections share.</param>
internal sealed class PollConnection(HttpContext http, FeedCursor cursor, AccessToken token, TimeSpan timeout, ConnectionContext context)
    : TransportConnection(http, "long_poll")
{
    private const int MaxItems = 100;

    // A poll that does not wait may still have to read its updates from the log.
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(2);

    private readonly DateTimeOffset _tokenEndsAt = TokenSchedule.Of(token, context.Time.GetUtcNow()).EndAt;
    private readonly CancellationToken _gone = http.RequestAborted;
    private int _isOver;

    /// <summary>The result, when it has ended.</summary>
    public PollPage? Page { get; private set; }

    // Whether to respond now, also without updates.
    private bool IsOver => Volatile.Read(ref _isOver) != 0;

    public override void Tick(long timestamp, DateTimeOffset now)
    {
        if (now >= _tokenEndsAt)
        {
            Drain();
        }
    }

    public override void Drain()
    {
        Volatile.Write(ref _isOver, 1);
        cursor.Signal();
    }

    protected override async Task ServeAsync()
    {
        var waits = timeout > TimeSpan.Zero;
        await using var gone = _gone.UnsafeRegister(static poll => ((PollConnection)poll!).Drain(), this);
        await using var timer = context.Time.CreateTimer(
            static poll => ((PollConnection)poll!).Drain(), this, waits ? timeout : ReadTimeout, Timeout.InfiniteTimeSpan);
        while (!IsOver && (waits || cursor.HasWork()))
        {
            var startedAt = context.Time.GetUtcNow();
            using var read = await cursor.ReadAsync();
            switch (read.Kind)
            {
                case FeedReadKind.Frames:
                    Page = Take(read, startedAt);
                    return;
                case FeedReadKind.Resync:
                    Page = PollPage.Of([], read.End, false) with { Resync = true };
                    return;
                default:
                    // Signaled, or an update without a position in the log, which polls leave out.
                    break;
            }
        }

        Page = PollPage.Of([], cursor.Position, cursor.IsBehind);
    }

    private PollPage Take(FeedRead read, DateTimeOffset startedAt)
    {
        var frames = read.Frames[..Math.Min(read.Count, MaxItems)];
        var items = new EncodedUpdate[frames.Length];
        for (var i = 0; i < items.Length; i++)
        {
            items[i] = new(frames[i].Payload);
        }

        context.Metrics.Delivered(frames, read.IsLive, Transport, startedAt, context.Time.GetUtcNow());
        cursor.Advance(frames[^1].Cursor);
        return PollPage.Of(items, cursor.Position, cursor.IsBehind);
    }
}
