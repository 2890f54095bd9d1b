using System.Runtime.CompilerServices;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// A connection's place in its user's log. It buffers nothing: when the connection can take more, updates are read from the feed's
/// ring, or from the log if the ring no longer has them.
/// Concurrency: one reader; <see cref="Signal"/> may be called by any thread.
/// Lifecycle: opened by <see cref="FeedHub"/>; dispose it when the reader has ended.
/// </summary>
/// <param name="hub">The hub that opened the cursor.</param>
/// <param name="context">What all feeds share.</param>
/// <param name="feed">Its feed, acquired for this cursor.</param>
/// <param name="position">Where it starts.</param>
/// <param name="request">What the connection asked for.</param>
internal sealed class FeedCursor(FeedHub hub, FeedContext context, UserFeed feed, CursorPosition position, FeedRequest request) : IDisposable
{
    // The maximum in one read from a ring.
    private const int MaxFrames = 64;

    private readonly CursorPosition _position = position;
    private readonly FeedWaiter _waiter = new(feed.Waiting);
    private readonly string? _generationId = request.GenerationId;
    private readonly int _maxBytes = request.MaxReadBytes;
    private long _lastUnlogged = feed.LastUnlogged;
    private bool _disposed;

    /// <summary>The position at which the cursor was opened.</summary>
    public LogPosition Start { get; } = position.Value;

    /// <summary>The last position that was given to the connection or skipped by its filter.</summary>
    public LogPosition Position => _position.Value;

    /// <summary>Whether the log is known to have updates after the position.</summary>
    public bool IsBehind => _position.IsBehind;

    /// <summary>Whether only one generation's updates are read.</summary>
    public bool IsFiltered => _generationId is not null;

    /// <summary>
    /// Waits for the next frames, a resync, or a signal, which returns nothing. Does not move the position: see <see cref="Advance"/>.
    /// While it waits it holds no buffer. While the database is away it keeps waiting.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<FeedRead> ReadAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            // Order: before anything is read, so that any later change ends the wait.
            var changes = feed.Waiting.Changes;
            if (TryRead(out var read))
            {
                return read;
            }

            if (!_position.NeedsLog)
            {
                await _waiter.WaitAsync(changes);
            }
            else if (await ReplayAsync(cancellationToken) is not { } replay)
            {
                await _waiter.WaitForLogAsync();
            }
            else if (replay.Kind != FeedReadKind.Nothing)
            {
                return replay;
            }

            if (_waiter.TakeSignal())
            {
                return FeedRead.Nothing;
            }
        }
    }

    /// <summary>Moves the position: the connection has been given everything up to it. A resync moves it by itself.</summary>
    public void Advance(LogPosition position) => _position.MoveTo(position);

    /// <summary>Ends the wait of the current read, or of the next one, with <see cref="FeedReadKind.Nothing"/>.</summary>
    public void Signal() => _waiter.Signal();

    /// <summary>Whether a read would do more than wait.</summary>
    public bool HasWork() => _position.HasWork || _lastUnlogged != feed.LastUnlogged;

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            hub.Release(feed);
        }
    }

    private bool TryRead(out FeedRead read)
    {
        if (_position.TryResync(out var head))
        {
            context.Metrics.Resynced();
            read = new(FeedReadKind.Resync, null, 0, head, live: false);
            return true;
        }

        return TryReadUnlogged(out read) || (_position.FollowsFeed() && TryReadRing(out read));
    }

    private bool TryReadRing(out FeedRead read)
    {
        read = default;
        Frame[]? frames = null;
        var count = 0;
        var bytes = 0;
        var position = Position;
        var head = feed.Log.Head;
        while (position.Seq < head && count < MaxFrames && feed.Log.Find(position.Seq + 1) is { } frame)
        {
            if (Matches(frame.GenerationId))
            {
                bytes += frame.Wire.Length;
                if (count > 0 && bytes > _maxBytes)
                {
                    break;
                }

                frames ??= FeedRead.Rent(MaxFrames);
                frames[count++] = frame;
            }

            position = frame.Cursor;
        }

        if (!_position.IsCurrent)
        {
            // The feed has switched to another log meanwhile: these frames may not follow the position.
            FeedRead.Return(frames, count);
            return false;
        }

        if (frames is null)
        {
            Advance(position);
            return false;
        }

        read = new(FeedReadKind.Frames, frames, count, position, live: true);
        return true;
    }

    private bool TryReadUnlogged(out FeedRead read)
    {
        read = default;
        var last = feed.LastUnlogged;
        if (_lastUnlogged == last)
        {
            return false;
        }

        var frames = FeedRead.Rent(MaxFrames);
        var count = 0;
        for (var number = Math.Max(_lastUnlogged, last - MaxFrames) + 1; number <= last; number++)
        {
            // Delivery is at most once, as their publisher chose: frames that the ring no longer has are lost.
            if (feed.FindUnlogged(number) is { } frame && Matches(frame.GenerationId))
            {
                frames[count++] = frame;
            }
        }

        _lastUnlogged = last;
        if (count == 0)
        {
            FeedRead.Return(frames, 0);
            return false;
        }

        read = new(FeedReadKind.Unlogged, frames, count, Position, live: true);
        return true;
    }

    /// <returns>Nothing: read again. Null: the log cannot be read, or not be relied on; waiting for it ends that.</returns>
    private async ValueTask<FeedRead?> ReplayAsync(CancellationToken cancellationToken)
    {
        using var turn = await feed.TakeTurnAsync(cancellationToken);
        if (turn is null || _waiter.IsSignaled)
        {
            // Many connections are behind: this one's other messages must not wait that long. Or it may be about to end; if not, it reads again.
            return FeedRead.Nothing;
        }

        try
        {
            var (page, isShorter) = await feed.Log.ReadAsync(Position.Seq, context.Options.PageSize, cancellationToken);
            context.Metrics.Replayed();
            return _position.Fit(page, isShorter, out var end) switch
            {
                PageFit.Follows => Take(page.Items, end),
                PageFit.Undecided => FeedRead.Nothing,
                _ => null,
            };
        }
        catch (Exception e) when (DatabaseWatch.IsRetried(e))
        {
            context.Database.Failed(e);
            return null;
        }
    }

    private FeedRead Take(IReadOnlyList<StatusUpdate> items, LogPosition end)
    {
        var frames = FeedRead.Rent(items.Count);
        var count = 0;
        foreach (var update in items)
        {
            if (Matches(update.GenerationId))
            {
                frames[count++] = Frame.Of(update);
            }
        }

        if (count > 0)
        {
            return new(FeedReadKind.Frames, frames, count, end, live: false);
        }

        FeedRead.Return(frames, 0);
        Advance(end);
        return FeedRead.Nothing;
    }

    private bool Matches(string generationId) => _generationId is null || string.Equals(generationId, _generationId, StringComparison.Ordinal);
}

/// <summary>What a connection requests from a feed.</summary>
/// <param name="UserId">Whose updates.</param>
/// <param name="Since">The last position it has, with its check if known; null: start at the head.</param>
/// <param name="GenerationId">Only this generation's updates; null: all.</param>
/// <param name="MaxReadBytes">The approximate maximum size of one read; a single frame may be larger.</param>
internal sealed record FeedRequest(string UserId, LogPosition? Since, string? GenerationId, int MaxReadBytes);
