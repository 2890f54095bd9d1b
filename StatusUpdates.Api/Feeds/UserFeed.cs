using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// One user's updates on this instance: follows the user's log by what the channel announces, and has the log read where that is not enough.
/// Concurrency: all methods may be called by any thread.
/// Lifecycle: until <see cref="Start"/>, messages are only buffered; then it follows the log from its head, until the hub closes it.
/// </summary>
internal sealed class UserFeed : IDisposable
{
    private const int UnloggedFrames = 16;
    private const int UnloggedBytes = 16 * 1024;

    private readonly Lock _gate = new();
    private readonly FeedContext _context;
    private readonly FeedRepair _repair;
    private SemaphoreSlim? _replays;
    private FrameRing? _unlogged;
    private long _lastUnlogged;
    private long _announced;
    private long _found;

    public UserFeed(string userId, FeedContext context)
    {
        UserId = userId;
        _context = context;
        Log = new(userId, context);
        _repair = new(context, Log, Waiting);
    }

    public string UserId { get; }

    /// <summary>What is known of the user's log.</summary>
    public FollowedLog Log { get; }

    /// <summary>The cursors that wait for something to read.</summary>
    public WaitList Waiting { get; } = new();

    /// <summary>The number of the latest update without a seq.</summary>
    public long LastUnlogged => Volatile.Read(ref _lastUnlogged);

    /// <inheritdoc cref="FeedRepair.Current"/>
    public Task Repair => _repair.Current;

    public Frame? FindUnlogged(long number) => Volatile.Read(ref _unlogged)?.Find(number);

    /// <summary>Starts the feed at the log's head. Messages that arrived earlier are applied or dropped.</summary>
    public void Start(LogPosition head)
    {
        var missing = Log.Start(head);
        Waiting.Changed();

        // Also if none is missing: some of the earlier messages may not have been kept.
        _repair.Reach(missing);
    }

    /// <summary>
    /// Takes an update from the channel: the next one, a repeated one, or one from further ahead. An update that does not claim to follow the
    /// previous one only causes the log to be read.
    /// </summary>
    public void Accept(Frame frame)
    {
        if (!frame.IsLogged)
        {
            if (_context.Options.UpdatesWithoutSeq)
            {
                AcceptUnlogged(frame);
            }

            return;
        }

        Volatile.Write(ref _announced, Math.Max(_announced, frame.Position));
        if (frame.After is not null)
        {
            _context.Hints.Received();
        }

        if (frame.Position <= Log.Head)
        {
            // A repeat. If it differs from what was sent with this seq, one of the two is not from this log.
            if (Log.Find(frame.Position) is { } known && !known.IsSameAs(frame))
            {
                _repair.VerifyFrom(frame.Position - 1);
            }

            return;
        }

        var (moved, missing) = Log.Take(frame);
        if (moved)
        {
            Waiting.Changed();
        }

        if (missing > 0)
        {
            _repair.Reach(missing);
        }
    }

    /// <summary>Compares the feed with the log's bounds, and has the log read if they differ. The sweep calls it.</summary>
    /// <param name="bounds">The bounds.</param>
    /// <param name="seenBefore"><see cref="FollowedLog.Seen"/> before the bounds were read.</param>
    public void Compare(LogBounds bounds, long seenBefore)
    {
        var (isSame, hasMore) = Log.Compare(bounds, seenBefore);
        if (!isSame)
        {
            Verify();
        }
        else if (hasMore)
        {
            _repair.Reach(bounds.Last);
        }

        // The updates that the previous sweep found should have been announced by now.
        if (_found > Volatile.Read(ref _announced))
        {
            _context.Hints.Missed();
        }

        _found = hasMore ? bounds.Last : 0;
        Waiting.RetryStalled();
    }

    /// <summary>Has the log read soon, because something about it is inconsistent.</summary>
    public void Verify() => _repair.VerifyFrom(long.MaxValue);

    /// <summary>Waits for a connection's turn to read the log.</summary>
    /// <returns>Null: it did not come within <see cref="FeedOptions.ReadTimeout"/>.</returns>
    public ValueTask<ReplayTurn?> TakeTurnAsync(CancellationToken cancellationToken) => ReplayTurn.TakeAsync(
        LazyInitializer.EnsureInitialized(ref _replays, () => new SemaphoreSlim(_context.Options.MaxReplaysOfUser)), _context, cancellationToken);

    public void Close() => _repair.Close();

    public void Dispose()
    {
        _repair.Dispose();
        _replays?.Dispose();
    }

    private void AcceptUnlogged(Frame frame)
    {
        lock (_gate)
        {
            var ring = _unlogged ??= new FrameRing(UnloggedFrames, UnloggedBytes);
            ring.Append(frame.Numbered(_lastUnlogged + 1));
            Volatile.Write(ref _lastUnlogged, _lastUnlogged + 1);
        }

        Waiting.Changed();
    }
}
