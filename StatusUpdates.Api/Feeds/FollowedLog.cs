using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// What a feed knows of its user's log: the head up to which it has no gap, the latest frames before the head, and frames that arrived early.
/// Concurrency: thread-safe; writes are guarded by one lock, and reading frames takes no lock.
/// Lifecycle: until <see cref="Start"/>, frames are only buffered.
/// Invariants: the head only rises within an epoch; every position up to it is committed; a frame enters the ring before the head reaches it.
/// </summary>
internal sealed class FollowedLog(string userId, FeedContext context)
{
    private const long NotStarted = -1;
    private const int ReorderCapacity = 64;

    private readonly Lock _gate = new();
    private readonly FrameRing _ring = new(context.Options.RingFrames, context.Options.RingBytes);
    private readonly ReorderBuffer _early = new(ReorderCapacity);
    private long _head = NotStarted;
    private uint? _headCheck;
    private long _seen;
    private int _epoch;
    private long _lastAppend = context.Time.GetTimestamp();

    /// <summary>The last position up to which everything is known to be committed.</summary>
    public long Head => Volatile.Read(ref _head);

    /// <summary>Incremented when the log turns out to be a different one than before: cursors of an older epoch must verify their position.</summary>
    public int Epoch => Volatile.Read(ref _epoch);

    /// <summary>Whether the head has been read.</summary>
    public bool IsStarted => Head != NotStarted;

    /// <summary>The highest position that the feed or one of its cursors has seen committed: the head of the same log is never below it.</summary>
    public long Seen => Volatile.Read(ref _seen);

    // Callers hold the lock.
    private LogPosition HeadPosition => new(_head, _headCheck);

    public Frame? Find(long position) => _ring.Find(position);

    /// <summary>The position, with the check of the update there if that is known; null if the feed knows nothing of it.</summary>
    public LogPosition? At(long seq)
    {
        lock (_gate)
        {
            return seq switch
            {
                // Where every log begins.
                0 => default(LogPosition),
                _ when seq == _head => HeadPosition,
                _ when _ring.Find(seq) is { } frame => frame.Cursor,
                _ => _ring.Find(seq + 1)?.After,
            };
        }
    }

    /// <summary>The head, with the epoch that it belongs to.</summary>
    public (LogPosition Head, int Epoch) Snapshot()
    {
        lock (_gate)
        {
            return (HeadPosition, _epoch);
        }
    }

    /// <summary>Starts at the log's head. Frames that arrived before are appended or dropped.</summary>
    /// <returns>The position up to which the log must be read; 0: none.</returns>
    public long Start(LogPosition head)
    {
        lock (_gate)
        {
            _seen = Math.Max(_seen, head.Seq);
            MoveHead(head);
            return AppendEarly();
        }
    }

    /// <summary>Takes an announced frame: appends it if it says that it follows the head, otherwise keeps it until its predecessor is here.</summary>
    /// <returns>Whether the head moved, and the position up to which the log must be read; 0: none.</returns>
    public (bool Moved, long Missing) Take(Frame frame)
    {
        lock (_gate)
        {
            if (frame.Position <= _head)
            {
                return (false, 0);
            }

            if (IsStarted && frame.Position == _head + 1 && Follows(frame))
            {
                Append(frame);
                return (true, AppendEarly());
            }

            if (frame.After is not null)
            {
                _early.Add(frame);
            }

            return (false, frame.Position);
        }
    }

    /// <summary>Compares with the log's bounds. A check of the head that only the log has is adopted.</summary>
    /// <param name="bounds">The bounds.</param>
    /// <param name="seenBefore"><see cref="Seen"/> before the bounds were read: positions seen since then prove nothing about them.</param>
    /// <returns>Whether it can be the same log, and whether that has more.</returns>
    public (bool IsSame, bool HasMore) Compare(LogBounds bounds, long seenBefore)
    {
        lock (_gate)
        {
            var isSame = bounds.Last >= seenBefore;
            if (isSame && bounds.Last == _head)
            {
                _headCheck ??= bounds.LastCheck;
                isSame = bounds.Head.Agrees(HeadPosition);
            }

            return (isSame, bounds.Last > _head);
        }
    }

    /// <summary>Reads the log after a position. The caller holds a <see cref="ReplayTurn"/>, or a slot of <see cref="FeedContext.Repairs"/>.</summary>
    /// <returns>The page, and whether the log is shorter than what was seen of it: then it is another log.</returns>
    /// <exception cref="System.Data.Common.DbException">The database is unavailable.</exception>
    /// <exception cref="TimeoutException">The database did not respond in time.</exception>
    public async Task<(LogPage Page, bool IsShorter)> ReadAsync(long after, int limit, CancellationToken cancellationToken)
    {
        // Order: before the log is read; otherwise a log that grows in between would look as if it had shrunk.
        var seen = Seen;
        var page = await context.ReadAsync(token => context.Log.ReadAfterAsync(userId, after, limit, token), cancellationToken);
        return (page, page.Bounds.Last < seen);
    }

    /// <summary>
    /// Where the next read for <see cref="Apply"/> begins: at the head, or at <paramref name="verifyFrom"/> if that is lower and its update is still known.
    /// If it is not, the head says as much: logs that differ at one position differ at all later ones.
    /// </summary>
    public LogMark Mark(long? verifyFrom)
    {
        lock (_gate)
        {
            return new(At(Math.Min(_head, verifyFrom ?? long.MaxValue)) ?? HeadPosition, _early.Arrivals);
        }
    }

    /// <summary>Applies a page of the log. If it is of another log, the feed starts over at that log's head, in a new epoch.</summary>
    /// <param name="page">The page.</param>
    /// <param name="isShorter">See <see cref="ReadAsync"/>.</param>
    /// <param name="from">Where the read began. No other page may have been applied since then.</param>
    /// <param name="missing">The position up to which the log must be read; 0: none.</param>
    /// <returns>False if it was read from the head, and nothing in it follows the head: reading it again would return the same.</returns>
    public bool Apply(LogPage page, bool isShorter, LogMark from, out long missing)
    {
        var frames = (page.Bounds.Covers(from.Position.Seq) ? page.Items : []).Select(Frame.Of).ToArray();
        lock (_gate)
        {
            var before = _head;
            var isOther = isShorter || !page.Cursor.Agrees(from.Position) || frames.Any(Contradicts);
            if (isOther)
            {
                Reset(page.Bounds.Head);
            }
            else if (page.Bounds.Oldest > _head + 1)
            {
                // Retention has passed this feed. Each cursor finds out by itself whether it was passed too.
                MoveHead(page.Bounds.Last > _head ? page.Bounds.Head : HeadPosition);
            }
            else
            {
                foreach (var frame in frames)
                {
                    if (frame.Position == _head + 1)
                    {
                        Append(frame);
                    }
                }
            }

            // Frames that arrived before the log was read but are beyond its end were never committed, or no longer exist: for example, frames that a
            // failover lost, which may even follow the head.
            _early.RemoveUnconfirmed(page.Bounds.Last, from.EarlyArrivals);
            missing = AppendEarly();
            _seen = Math.Max(_seen, page.Bounds.Last);
            if (_head > before)
            {
                context.Metrics.GapRepaired();
            }

            return isOther || _head > before || from.Position.Seq < before;
        }
    }

    /// <summary>Records that a cursor has seen this position committed, in the log of that epoch.</summary>
    public void NoteSeen(long position, int epoch)
    {
        lock (_gate)
        {
            if (epoch == _epoch)
            {
                _seen = Math.Max(_seen, position);
            }
        }
    }

    /// <summary>Releases the ring's memory after a long time without updates.</summary>
    public void TrimIdle()
    {
        if (_ring.IsEmpty)
        {
            return;
        }

        lock (_gate)
        {
            if (context.Time.GetElapsedTime(_lastAppend) >= context.Options.RingIdle)
            {
                _ring.Clear();
            }
        }
    }

    // Whether another update was already sent at its position: then the log is not the one that this feed followed.
    private bool Contradicts(Frame frame) => _ring.Find(frame.Position) is { } sent && !sent.IsSameAs(frame);

    // Whether its publisher says that it directly follows the head: in another log it would follow something else.
    private bool Follows(Frame frame) => frame.After == HeadPosition;

    private void Reset(LogPosition head)
    {
        _ring.Clear();
        _early.Clear();
        _seen = head.Seq;
        MoveHead(head);
        Volatile.Write(ref _epoch, _epoch + 1);
    }

    private void MoveHead(LogPosition head)
    {
        _headCheck = head.Check;
        Volatile.Write(ref _head, head.Seq);
    }

    private void Append(Frame frame)
    {
        _ring.Append(frame);
        MoveHead(frame.Cursor);
        _seen = Math.Max(_seen, frame.Position);
        _lastAppend = context.Time.GetTimestamp();
    }

    /// <returns>The position of an early frame that does not follow the head, up to which the log must be read; 0: none.</returns>
    private long AppendEarly()
    {
        while (_early.TakeNext(_head) is { } frame)
        {
            if (!Follows(frame))
            {
                return frame.Position;
            }

            Append(frame);
        }

        return 0;
    }
}

/// <summary>Where a read of the log begins.</summary>
/// <param name="Position">The position after which it reads, with its check if that is known.</param>
/// <param name="EarlyArrivals">How many frames had arrived early before it.</param>
internal readonly record struct LogMark(LogPosition Position, long EarlyArrivals);
