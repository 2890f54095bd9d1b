using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// One user's updates on this instance: the head of the log as far as it is known without a gap, and the latest frames.
/// Concurrency: all methods may be called by any thread; one lock guards what is written, readers of frames take none.
/// Lifecycle: made closed-mouthed (messages are only kept), started with the log's bounds, closed by the hub.
/// Invariants: the head only rises within an epoch; every position up to it is committed; a frame enters the ring before the head
/// names it; at most one repair runs.
/// </summary>
internal sealed class UserFeed : IDisposable
{
    private const long NotStarted = -1;
    private const int ReorderCapacity = 64;
    private const int WithoutSeqFrames = 16;
    private const int WithoutSeqBytes = 16 * 1024;

    private readonly Lock _gate = new();
    private readonly FeedContext _context;
    private readonly FrameRing _ring;
    private readonly ReorderBuffer _ahead = new(ReorderCapacity);
    private readonly CancellationTokenSource _closed = new();
    private SemaphoreSlim? _replays;
    private FrameRing? _withoutSeq;
    private long _withoutSeqLast;
    private long _head = NotStarted;
    private uint? _headCheck;
    private long _seen;
    private long _announced;
    private long _found;
    private int _epoch;
    private long _lastAppend;
    private FeedCursor? _waiting;
    private bool _hasStalled;

    // The repair: what it is to reach, and from where it must read the log even if that is reached.
    private long _target;
    private long? _verifyFrom;
    private bool _repairing;
    private Task _repair = Task.CompletedTask;

    public UserFeed(string userId, FeedContext context)
    {
        UserId = userId;
        _context = context;
        _ring = new FrameRing(context.Options.RingFrames, context.Options.RingBytes);
        _lastAppend = context.Time.GetTimestamp();
    }

    public string UserId { get; }

    // The lock is held.
    private LogPosition HeadPosition => new(_head, _headCheck);

    // The lock is held.
    private bool IsReached => _head >= _target && _verifyFrom is null;

    public FeedContext Context => _context;

    /// <summary>Places for this user's reads of the log: however many of its connections are behind, the other users' have room beside them.</summary>
    public SemaphoreSlim Replays => LazyInitializer.EnsureInitialized(ref _replays, () => new SemaphoreSlim(_context.Options.MaxReplaysOfUser));

    /// <summary>The last position up to which everything is known to be committed.</summary>
    public long Head => Volatile.Read(ref _head);

    /// <summary>Rises when the log turned out to be another one than before: cursors of an older epoch are told to resync.</summary>
    public int Epoch => Volatile.Read(ref _epoch);

    /// <summary>The highest position that this feed or a cursor of it has seen committed: the log's head is never below it.</summary>
    public long Seen
    {
        get
        {
            lock (_gate)
            {
                return _seen;
            }
        }
    }

    /// <summary>Number of the latest update without a seq.</summary>
    public long WithoutSeqLast => Volatile.Read(ref _withoutSeqLast);

    /// <summary>The repair that runs, or the last one. For tests and for closing.</summary>
    public Task Repair
    {
        get
        {
            lock (_gate)
            {
                return _repair;
            }
        }
    }

    public Frame? Find(long position) => _ring.Find(position);

    public Frame? FindWithoutSeq(long number) => Volatile.Read(ref _withoutSeq)?.Find(number);

    /// <summary>The head with the epoch it belongs to.</summary>
    public (LogPosition Head, int Epoch) Snapshot()
    {
        lock (_gate)
        {
            return (HeadPosition, _epoch);
        }
    }

    /// <summary>Opens the feed at the log's head. Messages that came before are sorted in or dropped.</summary>
    public void Start(LogPosition head)
    {
        FeedCursor? woken;
        lock (_gate)
        {
            _seen = Math.Max(_seen, head.Seq);
            MoveHead(head);
            DrainAhead();
            woken = TakeWaiting();
        }

        Wake(woken);

        // Of what came before, not all may have been kept.
        RequestRepair(0);
    }

    /// <summary>
    /// Takes an update that the channel brought: the next one, a repeated one, or one from further ahead. What does not say that it follows what was
    /// sent before it is a reason to read the log, and no more.
    /// </summary>
    public void Accept(StatusUpdate update)
    {
        if (update.Seq is not { } seq)
        {
            if (_context.Options.UpdatesWithoutSeq)
            {
                AcceptWithoutSeq(update);
            }

            return;
        }

        Volatile.Write(ref _announced, Math.Max(_announced, seq));
        if (update.After is not null)
        {
            _context.Hints.Heard();
        }

        if (seq <= Head)
        {
            // A repeat. If it differs from what was sent under its number, one of the two was not of this log.
            if (_ring.Find(seq) is { } known && !known.IsSameAs(update))
            {
                RequestRepair(0, verifyFrom: seq - 1);
            }

            return;
        }

        var frame = Frame.Of(update);
        FeedCursor? woken = null;
        var gap = false;
        lock (_gate)
        {
            if (_head != NotStarted && seq == _head + 1 && Follows(frame))
            {
                Append(frame);
                gap = !DrainAhead();
                woken = TakeWaiting();
            }
            else if (seq > _head)
            {
                if (frame.After is not null)
                {
                    _ahead.Add(frame);
                }

                gap = true;
            }
        }

        Wake(woken);
        if (gap)
        {
            RequestRepair(seq);
        }
    }

    /// <summary>Compares with the log's bounds, and reads the log if they differ.</summary>
    /// <param name="bounds">The bounds.</param>
    /// <param name="seenBefore"><see cref="Seen"/> before they were read: what was seen since says nothing.</param>
    public void Compare(LogBounds bounds, long seenBefore)
    {
        var before = Head;
        if (bounds.Last < seenBefore || !HasHead(bounds.Head))
        {
            Verify();
        }
        else if (bounds.Last > before)
        {
            RequestRepair(bounds.Last);
        }

        FeedCursor? woken = null;
        lock (_gate)
        {
            // What the sweep before this one found has been announced by now, if anybody does.
            if (_found > Volatile.Read(ref _announced))
            {
                _context.Hints.Missed();
            }

            _found = bounds.Last > before ? bounds.Last : 0;
            if (_hasStalled)
            {
                _hasStalled = false;
                woken = TakeWaiting();
            }
        }

        Wake(woken);
    }

    /// <summary>Notes that a cursor saw this position committed, in the log of that epoch.</summary>
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

    /// <summary>Reads the log soon, because something about it is odd.</summary>
    public void Verify() => RequestRepair(0, verifyFrom: long.MaxValue);

    /// <summary>Gives the ring's memory back if nothing came for long.</summary>
    public void TrimIdle()
    {
        if (_ring.IsEmpty)
        {
            return;
        }

        lock (_gate)
        {
            if (_context.Time.GetElapsedTime(_lastAppend) >= _context.Options.RingIdle)
            {
                _ring.Clear();
            }
        }
    }

    public void Close() => _closed.Cancel();

    public void Dispose()
    {
        _closed.Dispose();
        _replays?.Dispose();
    }

    /// <summary>Lets the cursor wait for news.</summary>
    /// <param name="cursor">The cursor; it waits once at most.</param>
    /// <param name="stalled">Whether it waits for the database: then the head alone is no news to it.</param>
    /// <returns>False: there is news, or a signal, already. The signal is left for the reader to take.</returns>
    public bool TryWait(FeedCursor cursor, bool stalled)
    {
        lock (_gate)
        {
            if (cursor.IsSignaled || (!stalled && cursor.HasNews()))
            {
                return false;
            }

            _hasStalled |= stalled;
            cursor.Arm();
            cursor.Next = _waiting;
            cursor.Previous = null;
            if (_waiting is not null)
            {
                _waiting.Previous = cursor;
            }

            _waiting = cursor;
            cursor.IsWaiting = true;
            return true;
        }
    }

    /// <summary>Wakes one cursor, or leaves it a signal if it does not wait.</summary>
    public void Signal(FeedCursor cursor)
    {
        lock (_gate)
        {
            cursor.LeaveSignal();
            if (!cursor.IsWaiting)
            {
                return;
            }

            cursor.IsWaiting = false;
            if (cursor.Previous is null)
            {
                _waiting = cursor.Next;
            }
            else
            {
                cursor.Previous.Next = cursor.Next;
            }

            if (cursor.Next is not null)
            {
                cursor.Next.Previous = cursor.Previous;
            }

            cursor.Next = cursor.Previous = null;
        }

        cursor.Wake();
    }

    private static void Wake(FeedCursor? first)
    {
        for (var cursor = first; cursor is not null;)
        {
            // Read before the wake: an awake cursor may wait again at once, in another list.
            var next = cursor.Next;
            cursor.Wake();
            cursor = next;
        }
    }

    private void AcceptWithoutSeq(StatusUpdate update)
    {
        FeedCursor? woken;
        lock (_gate)
        {
            var ring = _withoutSeq ??= new FrameRing(WithoutSeqFrames, WithoutSeqBytes);
            ring.Append(Frame.WithoutSeq(update, _withoutSeqLast + 1));
            Volatile.Write(ref _withoutSeqLast, _withoutSeqLast + 1);
            woken = TakeWaiting();
        }

        Wake(woken);
    }

    private void RequestRepair(long target, long? verifyFrom = null)
    {
        lock (_gate)
        {
            _target = Math.Max(_target, target);
            if (verifyFrom is { } from)
            {
                _verifyFrom = Math.Min(_verifyFrom ?? long.MaxValue, from);
            }

            if (_repairing || _head == NotStarted || _closed.IsCancellationRequested || IsReached)
            {
                return;
            }

            _repairing = true;

            // Without the caller's context: it reads for all of the feed's connections, and goes on when this one's request has ended.
            using (ExecutionContext.SuppressFlow())
            {
                _repair = RepairAsync(_closed.Token);
            }
        }
    }

    private async Task RepairAsync(CancellationToken cancellationToken)
    {
        ReadStart? reading = null;
        try
        {
            // The predecessor may be on its way; and this runs on from inside the lock otherwise.
            await Task.Delay(_context.Options.ReorderWait, _context.Time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            while ((reading = BeginRead()) is { } from)
            {
                LogPage page;
                await _context.Repairs.WaitAsync(cancellationToken);
                try
                {
                    page = await _context.ReadAsync(
                        token => _context.Log.ReadAfterAsync(UserId, from.Cursor.Seq, _context.Options.PageSize, token), cancellationToken);
                }
                finally
                {
                    _context.Repairs.Release();
                }

                _context.Database.Succeeded();
                if (!Apply(page, from))
                {
                    throw new InvalidOperationException($"The log has a hole after {from.Cursor.Seq}.");
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            StopRepairing(reading);
        }
        catch (Exception e) when (DatabaseWatch.IsAway(e))
        {
            // The sweep asks again.
            _context.Database.Failed(e);
            StopRepairing(reading);
        }
        catch (Exception e)
        {
            // Not asked for again at once: it would bring the same. The sweep asks.
            _context.Database.Broke(e);
            StopRepairing(null);
        }
    }

    private void StopRepairing(ReadStart? reading)
    {
        lock (_gate)
        {
            _repairing = false;
            if (reading is { } unanswered)
            {
                _target = Math.Max(_target, unanswered.Target);
                _verifyFrom = unanswered.VerifyFrom is { } from ? Math.Min(_verifyFrom ?? long.MaxValue, from) : _verifyFrom;
            }
        }
    }

    private ReadStart? BeginRead()
    {
        lock (_gate)
        {
            if (IsReached)
            {
                _repairing = false;
                return null;
            }

            // What is asked for while the log is being read is not answered by that read: it stands for the next one.
            var from = Math.Min(_head, _verifyFrom ?? long.MaxValue);
            var start = new ReadStart(
                new(from, from == _head ? _headCheck : _ring.Find(from)?.Check), _verifyFrom, _target, _epoch, _seen, _ahead.Arrivals);
            _verifyFrom = null;
            _target = 0;
            return start;
        }
    }

    /// <returns>False: the log does not go on where it should, and reading it again would bring the same.</returns>
    private bool Apply(LogPage page, ReadStart from)
    {
        bool goesOn;
        var frames = page.Bounds.Covers(from.Cursor.Seq) ? page.Items.Select(Frame.Of).ToArray() : [];
        FeedCursor? woken;
        lock (_gate)
        {
            if (_epoch != from.Epoch)
            {
                return true;
            }

            var before = _head;
            if (page.Bounds.Last < from.Seen || !page.Cursor.Agrees(from.Cursor) || Contradicts(frames))
            {
                StartAnew(page.Bounds.Head);
            }
            else if (page.Bounds.Oldest > _head + 1)
            {
                // Retention has passed this feed. Each cursor finds out for itself whether it was passed, too.
                MoveHead(page.Bounds.Head.Seq > _head ? page.Bounds.Head : HeadPosition);
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

            var isEnd = page.Items.Count < _context.Options.PageSize;
            if (!isEnd)
            {
                _target = Math.Max(_target, from.Target);
            }

            // What had come before the log was read and claims to be beyond its end was never committed, or is no more: even where it follows what is
            // there, such as what a failover lost.
            _ahead.RemoveUnconfirmed(page.Bounds.Last, from.Arrivals);
            DrainAhead();

            goesOn = isEnd || _epoch != from.Epoch || _head > before || from.Cursor.Seq < before;
            _seen = Math.Max(_seen, page.Bounds.Last);
            if (_head > before)
            {
                _context.Metrics.GapRepaired();
            }

            woken = TakeWaiting();
        }

        Wake(woken);
        return goesOn;
    }

    // Whether the log has other updates under numbers that were sent already: it is not the log that this feed followed.
    private bool Contradicts(Frame[] frames)
    {
        foreach (var frame in frames)
        {
            if (_ring.Find(frame.Position) is { } sent && !sent.IsSameAs(frame))
            {
                return true;
            }
        }

        return false;
    }

    private void StartAnew(LogPosition head)
    {
        _ring.Clear();
        _ahead.Clear();
        _seen = head.Seq;
        _target = 0;
        MoveHead(head);
        Volatile.Write(ref _epoch, _epoch + 1);
    }

    private void MoveHead(LogPosition head)
    {
        _headCheck = head.Check;
        Volatile.Write(ref _head, head.Seq);
    }

    // The lock is held. Whether what announced it says that it comes right after the head: in another log it would come after something else.
    private bool Follows(Frame frame) => frame.After == HeadPosition;

    /// <summary>Whether the log's head may be this feed's; where only the log knows its check, the feed learns it.</summary>
    private bool HasHead(LogPosition head)
    {
        lock (_gate)
        {
            if (_head != head.Seq)
            {
                return true;
            }

            _headCheck ??= head.Check;
            return head.Agrees(HeadPosition);
        }
    }

    private void Append(Frame frame)
    {
        _ring.Append(frame);
        MoveHead(frame.Cursor);
        _seen = Math.Max(_seen, frame.Position);
        _lastAppend = _context.Time.GetTimestamp();
    }

    /// <returns>False: one that was waiting does not follow, and the log is to be read.</returns>
    private bool DrainAhead()
    {
        while (_ahead.TakeNext(_head) is { } frame)
        {
            if (!Follows(frame))
            {
                _target = Math.Max(_target, frame.Position);
                return false;
            }

            Append(frame);
        }

        return true;
    }

    private FeedCursor? TakeWaiting()
    {
        var first = _waiting;
        for (var cursor = first; cursor is not null; cursor = cursor.Next)
        {
            cursor.IsWaiting = false;
        }

        _waiting = null;
        return first;
    }

    private readonly record struct ReadStart(LogPosition Cursor, long? VerifyFrom, long Target, int Epoch, long Seen, long Arrivals);
}
