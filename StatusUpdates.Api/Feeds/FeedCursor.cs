using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// A connection's place in its user's log. It holds a position and nothing else: what is due is read from the feed's ring, or from the
/// log if the ring no longer has it, when the connection can take it.
/// Concurrency: one reader; <see cref="Signal"/> may be called by any thread.
/// Lifecycle: opened by <see cref="FeedHub"/>; dispose it when the reader has ended.
/// </summary>
internal sealed class FeedCursor : IValueTaskSource, IThreadPoolWorkItem, IDisposable
{
    /// <summary>The most frames of one read from the ring.</summary>
    public const int MaxFrames = 64;

    private readonly FeedHub _hub;
    private readonly UserFeed _feed;
    private readonly string? _generationId;
    private readonly int _maxBytes;
    private ManualResetValueTaskSourceCore<bool> _wait;
    private int _epoch;
    private long _withoutSeq;
    private int _signaled;
    private LogPosition? _resync;
    private long _known;

    // Whether the position was taken from the feed: what the log gave may be of another log than the one that the feed follows.
    private bool _isOfFeed;

    // Whether the log must say first that it has what stands at the position.
    private bool _isInDoubt;
    private LogPosition? _doubted;
    private bool _disposed;

    /// <param name="hub">Where the cursor came from.</param>
    /// <param name="feed">Its feed, held for it.</param>
    /// <param name="epoch">The feed's epoch when <paramref name="start"/> was checked.</param>
    /// <param name="start">The position to start from.</param>
    /// <param name="known">The log's head as it was read for this cursor: the feed may not have heard of it yet.</param>
    /// <param name="isCovered">Whether the log can serve <paramref name="start"/>.</param>
    /// <param name="request">What the connection asked for.</param>
    public FeedCursor(FeedHub hub, UserFeed feed, int epoch, LogPosition start, LogPosition known, bool isCovered, FeedRequest request)
    {
        _hub = hub;
        _feed = feed;
        _epoch = epoch;
        _known = known.Seq;
        _generationId = request.GenerationId;
        _maxBytes = request.MaxReadBytes;
        _withoutSeq = feed.WithoutSeqLast;
        Start = start;
        Position = start;
        _resync = isCovered ? null : known;

        // Without a position of its own it stands at the feed's head.
        _isOfFeed = request.Since is null || start.Seq == 0;
    }

    /// <summary>Where the cursor stood when it was opened.</summary>
    public LogPosition Start { get; }

    /// <summary>The last position that the connection has been given, or that its filter passed over.</summary>
    public LogPosition Position { get; private set; }

    /// <summary>Whether the log is known to have more.</summary>
    public bool IsBehind => Position.Seq < Math.Max(_feed.Head, _known);

    /// <summary>Whether only one generation's updates are read.</summary>
    public bool IsFiltered => _generationId is not null;

    // The feed's list of waiting cursors; its lock guards them.
    internal FeedCursor? Next { get; set; }

    internal FeedCursor? Previous { get; set; }

    internal bool IsWaiting { get; set; }

    /// <summary>
    /// The next frames, as soon as there are any; or a resync; or nothing, when signaled. Does not move the position: see
    /// <see cref="Advance"/>. While it waits it holds no buffer. A database that is away is waited for.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<FeedRead> ReadAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            if (TryRead(out var read))
            {
                return read;
            }

            var stalled = false;
            if (_isInDoubt || IsBehind)
            {
                (read, stalled) = await ReplayAsync(cancellationToken);
                if (read.Kind != FeedReadKind.Nothing)
                {
                    return read;
                }

                if (!stalled && TakeSignal())
                {
                    return FeedRead.Nothing;
                }

                if (!stalled)
                {
                    continue;
                }
            }

            if (_feed.TryWait(this, stalled))
            {
                await new ValueTask(this, _wait.Version);
            }

            if (TakeSignal())
            {
                return FeedRead.Nothing;
            }
        }
    }

    /// <summary>Moves on: the connection has been given everything up to this position. A resync moves by itself.</summary>
    public void Advance(LogPosition position)
    {
        Position = position;
        if (position.Seq > _feed.Head)
        {
            _feed.NoteSeen(position.Seq, _epoch);
        }
    }

    /// <summary>Ends the wait of a read that runs, or of the next one, with <see cref="FeedReadKind.Nothing"/>.</summary>
    public void Signal() => _feed.Signal(this);

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _hub.Release(_feed);
        }
    }

    internal bool IsSignaled => Volatile.Read(ref _signaled) != 0;

    internal bool HasNews() =>
        _resync is not null || _isInDoubt || _epoch != _feed.Epoch || IsBehind || _withoutSeq != _feed.WithoutSeqLast;

    internal void Arm() => _wait.Reset();

    internal void LeaveSignal() => Volatile.Write(ref _signaled, 1);

    internal bool TakeSignal() => Interlocked.Exchange(ref _signaled, 0) != 0;

    /// <summary>Lets the waiting reader go on, on another thread: the one that brings updates must not run their sends.</summary>
    internal void Wake() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

    void IThreadPoolWorkItem.Execute() => _wait.SetResult(true);

    void IValueTaskSource.GetResult(short token) => _wait.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);

    private bool TryRead(out FeedRead read)
    {
        var epoch = _feed.Epoch;
        if (epoch != _epoch)
        {
            // The feed follows another log now. Whether that one has what stands at this position too, it must say itself.
            _epoch = epoch;
            _isOfFeed = false;
            _isInDoubt = true;
        }

        if (_resync is { } head)
        {
            read = Resync(head);
            return true;
        }

        if (_withoutSeq != _feed.WithoutSeqLast && TryReadWithoutSeq(out read))
        {
            return true;
        }

        read = default;
        if (_isInDoubt || !IsOfFeed() || !TryReadRing(out read))
        {
            return false;
        }

        // Frames of a log that has been found to be another one meanwhile would not follow the position.
        if (_feed.Epoch != epoch)
        {
            read.Dispose();
            return false;
        }

        return true;
    }

    /// <summary>Whether the feed's next frames follow what stands at the position. If not, the log is read on from there.</summary>
    private bool IsOfFeed()
    {
        if (_isOfFeed)
        {
            return true;
        }

        LogPosition known;
        if (_feed.Find(Position.Seq) is { } frame)
        {
            known = frame.Cursor;
        }
        else if (_feed.Find(Position.Seq + 1) is { After: { } after })
        {
            known = after;
        }
        else if (_feed.Snapshot().Head is var head && head.Seq == Position.Seq)
        {
            known = head;
        }
        else
        {
            return false;
        }

        _isOfFeed = known.Agrees(Position);
        if (!_isOfFeed && _doubted != known)
        {
            // One of the two is of another log. Asked once: until the feed has found out that it is the one, the answer stays the same.
            _doubted = known;
            _isInDoubt = true;
            _feed.Verify();
        }

        return _isOfFeed;
    }

    private bool TryReadRing(out FeedRead read)
    {
        read = default;
        Frame[]? frames = null;
        var count = 0;
        var bytes = 0;
        var position = Position;
        var head = _feed.Head;
        while (position.Seq < head && count < MaxFrames && _feed.Find(position.Seq + 1) is { } frame)
        {
            if (Matches(frame))
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

        if (frames is null)
        {
            Position = position;
            return false;
        }

        read = FeedRead.Of(frames, count, position, live: true);
        return true;
    }

    private bool TryReadWithoutSeq(out FeedRead read)
    {
        var last = _feed.WithoutSeqLast;
        var frames = FeedRead.Rent(MaxFrames);
        var count = 0;
        for (var number = Math.Max(_withoutSeq, last - MaxFrames) + 1; number <= last; number++)
        {
            // At most once, by the publisher's choice: what the ring has lost is gone.
            if (_feed.FindWithoutSeq(number) is { } frame && Matches(frame))
            {
                frames[count++] = frame;
            }
        }

        _withoutSeq = last;
        read = FeedRead.WithoutSeq(frames, count, Position);
        if (count > 0)
        {
            return true;
        }

        read.Dispose();
        return false;
    }

    private async ValueTask<(FeedRead Read, bool Stalled)> ReplayAsync(CancellationToken cancellationToken)
    {
        var context = _feed.Context;
        if (!await _feed.Replays.WaitAsync(context.Options.ReadTimeout, cancellationToken))
        {
            // Many are behind. What else is due to this connection must not wait as long as its turn may take.
            return default;
        }

        try
        {
            return await context.Replays.WaitAsync(context.Options.ReadTimeout, cancellationToken) ? await ReplayInTurnAsync(context, cancellationToken) : default;
        }
        finally
        {
            _feed.Replays.Release();
        }
    }

    private async ValueTask<(FeedRead Read, bool Stalled)> ReplayInTurnAsync(FeedContext context, CancellationToken cancellationToken)
    {
        try
        {
            if (IsSignaled)
            {
                // The connection may be about to end; if not it comes back.
                return default;
            }

            // Order: taken before the log is read, or a log that has grown since would look as if it had shrunk.
            var seen = _feed.Seen;
            var page = await context.ReadAsync(
                token => context.Log.ReadAfterAsync(_feed.UserId, Position.Seq, context.Options.PageSize, token), cancellationToken);
            context.Database.Succeeded();
            context.Metrics.Replayed();
            return Take(page, seen);
        }
        catch (Exception e) when (DatabaseWatch.IsAway(e))
        {
            context.Database.Failed(e);
            return (default, true);
        }
        finally
        {
            context.Replays.Release();
        }
    }

    private (FeedRead Read, bool Stalled) Take(LogPage page, long seen)
    {
        if (_feed.Epoch != _epoch)
        {
            return default;
        }

        if (page.Bounds.Last < seen)
        {
            // Another log than the feed followed. The feed finds out, and tells all its cursors.
            _feed.Verify();
            return (default, true);
        }

        if (!page.Continues(Position))
        {
            if (page.Bounds.Oldest - 1 <= Position.Seq)
            {
                // Not passed by retention: it is another log.
                _feed.Verify();
            }

            return (Resync(page.Bounds.Head), false);
        }

        _isOfFeed = false;
        if (_isInDoubt)
        {
            _isInDoubt = false;
            if (page.Items.Count == 0)
            {
                return default;
            }
        }

        if (page.Items.Count == 0 || page.Items[^1].Position is not { } end || end.Seq != Position.Seq + page.Items.Count)
        {
            // The head names what the log does not have: the feed must look, and the sweep lets this cursor go on.
            _known = 0;
            _feed.Verify();
            return (default, true);
        }

        var frames = FeedRead.Rent(page.Items.Count);
        var count = 0;
        foreach (var update in page.Items)
        {
            if (_generationId is null || string.Equals(update.GenerationId, _generationId, StringComparison.Ordinal))
            {
                frames[count++] = Frame.Of(update);
            }
        }

        if (count > 0)
        {
            return (FeedRead.Of(frames, count, end, live: false), false);
        }

        FeedRead.Return(frames, 0);
        Advance(end);
        return default;
    }

    private FeedRead Resync(LogPosition head)
    {
        _resync = null;
        _isOfFeed = _isInDoubt = false;
        _doubted = null;
        _known = 0;
        _feed.Context.Metrics.Resynced();
        Advance(head);
        return FeedRead.Resync(head);
    }

    private bool Matches(Frame frame) =>
        _generationId is null || string.Equals(frame.GenerationId, _generationId, StringComparison.Ordinal);
}

/// <summary>What a connection asks of a feed.</summary>
/// <param name="UserId">Whose updates.</param>
/// <param name="Since">The last position it has, with its check if it has that; null: from the head.</param>
/// <param name="GenerationId">Only this generation's updates; null: all.</param>
/// <param name="MaxReadBytes">About how many bytes of frames one read gives; a single frame may be larger.</param>
internal sealed record FeedRequest(string UserId, LogPosition? Since, string? GenerationId, int MaxReadBytes);
