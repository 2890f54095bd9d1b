using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// A cursor's position, and whether the feed's frames may follow it: they may belong to another log than the position, if either came from a log that
/// has been replaced. What is doubtful is decided by the log. Not thread-safe.
/// </summary>
internal sealed class CursorPosition(UserFeed feed, int epoch, LogPosition value, LogPosition logHead, CursorPosition.Standing standing)
{
    private int _epoch = epoch;
    private Standing _standing = standing;

    // The log's head as read for this cursor, of which the feed may not know yet; if the position is lost, the one to continue from.
    private LogPosition _logHead = logHead;
    private LogPosition? _lastMismatch;

    internal enum Standing
    {
        /// <summary>It came from the feed, or the feed has the same update there: the feed's frames follow it.</summary>
        InFeed,

        /// <summary>The log has it. The feed has not been compared with it yet, or knows too little.</summary>
        InLog,

        /// <summary>The feed has another update there, or follows another log than before: the log must confirm it.</summary>
        Doubtful,

        /// <summary>The log does not continue from it: a resync is due.</summary>
        Lost,
    }

    /// <summary>The last position that was given to the connection or skipped by its filter.</summary>
    public LogPosition Value { get; private set; } = value;

    /// <summary>Whether the log is known to have updates after it.</summary>
    public bool IsBehind => Value.Seq < Math.Max(feed.Log.Head, _logHead.Seq);

    /// <summary>Whether what is next must be read from the log, unless the feed's frames follow.</summary>
    public bool NeedsLog => _standing == Standing.Doubtful || IsBehind;

    /// <summary>Whether something is known to be next: updates, a check, or a resync.</summary>
    public bool HasWork => NeedsLog || _standing == Standing.Lost || !IsCurrent;

    /// <summary>Whether the feed still follows the log that it followed when it was last compared.</summary>
    public bool IsCurrent => _epoch == feed.Log.Epoch;

    /// <summary>The head of a feed.</summary>
    public static CursorPosition AtHead(UserFeed feed)
    {
        var (head, epoch) = feed.Log.Snapshot();
        return new(feed, epoch, head, head, Standing.InFeed);
    }

    /// <summary>The position that a client has, if the log has it too; otherwise one that is lost.</summary>
    /// <exception cref="System.Data.Common.DbException">The database is unavailable.</exception>
    /// <exception cref="TimeoutException">The database did not respond in time, or too many connections are reading.</exception>
    public static async Task<CursorPosition> FindAsync(UserFeed feed, LogPosition since, CancellationToken cancellationToken)
    {
        // Order: before the log is read; the epoch is the one of the log that is read, or an older one.
        var epoch = feed.Log.Epoch;
        var (page, isShorter) = await ReadInTurnAsync(feed, since, cancellationToken);
        if (isShorter)
        {
            // The feed followed a different log than the current one: none of its frames may reach this connection.
            feed.Verify();
            await feed.Repair.WaitAsync(cancellationToken);
            epoch = feed.Log.Epoch is var now && now != epoch
                ? now
                : throw new TimeoutException("The feed could not be resynchronized with the log.");
        }

        if (!page.Cursor.Agrees(since))
        {
            // The client followed another log; the feed may have done the same.
            feed.Verify();
        }

        var head = page.Bounds.Head;
        feed.Log.NoteSeen(head.Seq, epoch);
        return page.Continues(since)
            ? new(feed, epoch, page.Cursor.Check is null ? since : page.Cursor, head, Standing.InLog)
            : new(feed, epoch, since, head, Standing.Lost);
    }

    /// <summary>The connection has been given everything up to this position.</summary>
    public void MoveTo(LogPosition position)
    {
        Value = position;
        if (position.Seq > feed.Log.Head)
        {
            feed.Log.NoteSeen(position.Seq, _epoch);
        }
    }

    /// <summary>Moves a lost position to the head of the log.</summary>
    public bool TryResync(out LogPosition head)
    {
        head = _logHead;
        if (_standing != Standing.Lost)
        {
            return false;
        }

        // Order: with the epoch of the log that the head was read from. If the feed has changed its log meanwhile, this position is doubtful too.
        MoveTo(head);
        _standing = Standing.InLog;
        _logHead = default;
        _lastMismatch = null;
        return true;
    }

    /// <summary>Whether the feed's next frames follow the update at the position. If not, reading continues from the log.</summary>
    public bool FollowsFeed()
    {
        if (feed.Log.Epoch is var epoch && epoch != _epoch)
        {
            // The feed now follows another log. Only that log can confirm that it has the same update at this position.
            _epoch = epoch;
            _standing = Standing.Doubtful;
        }

        if (_standing == Standing.InLog && feed.Log.At(Value.Seq) is { } known)
        {
            if (known.Agrees(Value))
            {
                _standing = Standing.InFeed;
            }
            else if (_lastMismatch != known)
            {
                // One of the two is from another log. Verified once per mismatch: until the feed finds out that it is the one, the result stays the same.
                _lastMismatch = known;
                _standing = Standing.Doubtful;
                feed.Verify();
            }
        }

        return _standing == Standing.InFeed;
    }

    /// <summary>Takes note of what was read from the log after the position.</summary>
    /// <param name="page">The page.</param>
    /// <param name="isShorter">See <see cref="FollowedLog.ReadAsync"/>.</param>
    /// <param name="end">The position of its last update, if they follow.</param>
    public PageFit Fit(LogPage page, bool isShorter, out LogPosition end)
    {
        end = default;
        if (!IsCurrent)
        {
            return PageFit.Undecided;
        }

        if (isShorter)
        {
            // The feed finds out and notifies all its cursors.
            feed.Verify();
            return PageFit.Inconsistent;
        }

        if (!page.Continues(Value))
        {
            if (page.Bounds.Oldest - 1 <= Value.Seq)
            {
                // Not removed by retention, so it is another log.
                feed.Verify();
            }

            _standing = Standing.Lost;
            _logHead = page.Bounds.Head;
            return PageFit.Undecided;
        }

        var wasDoubtful = _standing == Standing.Doubtful;
        _standing = Standing.InLog;
        if (wasDoubtful && page.Items.Count == 0)
        {
            return PageFit.Undecided;
        }

        if (page.Items.Count > 0 && page.Items[^1].Position is { } last && last.Seq == Value.Seq + page.Items.Count)
        {
            end = last;
            return PageFit.Follows;
        }

        // The known head is beyond what the log has: the feed must verify it, and the sweep wakes this cursor.
        _logHead = default;
        feed.Verify();
        return PageFit.Inconsistent;
    }

    private static async Task<(LogPage Page, bool IsShorter)> ReadInTurnAsync(UserFeed feed, LogPosition since, CancellationToken cancellationToken)
    {
        using var turn = await feed.TakeTurnAsync(cancellationToken)
            ?? throw new TimeoutException("Other connections did not finish reading the log in time.");
        return await feed.Log.ReadAsync(since.Seq, limit: 0, cancellationToken);
    }
}

/// <summary>How a page of the log fits a cursor's position.</summary>
internal enum PageFit
{
    /// <summary>Nothing follows from it: see what is known now.</summary>
    Undecided,

    /// <summary>Its updates follow the position.</summary>
    Follows,

    /// <summary>The log is not what the feed has seen. The feed reads it; reading it again before that returns the same.</summary>
    Inconsistent,
}
