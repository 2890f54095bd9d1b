using CsCheck;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Feeds;

/// <summary>
/// Everything that can happen to a feed, in any order: appends, and a channel that loses, repeats and reorders; connections at any cursor
/// that read, stall and close; retention, a restored backup, a database that is away; sweeps and the passing of time.
/// </summary>
public sealed class FeedModelTests
{
    private const string User = "u";

    private enum Op
    {
        Append,
        Deliver,
        Lose,
        Repeat,
        Swap,
        Connect,
        ConnectSince,
        Reconnect,
        Disconnect,
        Read,
        ReadPart,
        Trim,
        Restore,
        GoAway,
        Sweep,
        Settle,
        DropFrames,
    }

    [Fact]
    public Task Every_cursor_gets_all_later_updates_in_order_without_gap_or_repeat_or_a_resync_for_a_reason() => CheckAsync(histories: 300);

    [Long]
    [Fact]
    public Task Every_cursor_gets_all_later_updates_in_order_in_thousands_of_histories() => CheckAsync(histories: 3000);

    private static Task CheckAsync(int histories)
    {
        // Weights: mostly traffic. Steps that change the log's bounds are rare, because they would hide everything else.
        var op = Gen.Frequency(
            (30, Gen.Const(Op.Append)),
            (25, Gen.Const(Op.Deliver)),
            (6, Gen.Const(Op.Lose)),
            (5, Gen.Const(Op.Repeat)),
            (6, Gen.Const(Op.Swap)),
            (4, Gen.Const(Op.Connect)),
            (5, Gen.Const(Op.ConnectSince)),
            (4, Gen.Const(Op.Reconnect)),
            (3, Gen.Const(Op.Disconnect)),
            (14, Gen.Const(Op.Read)),
            (8, Gen.Const(Op.ReadPart)),
            (2, Gen.Const(Op.Trim)),
            (2, Gen.Const(Op.Restore)),
            (1, Gen.Const(Op.GoAway)),
            (4, Gen.Const(Op.Sweep)),
            (5, Gen.Const(Op.Settle)),
            (2, Gen.Const(Op.DropFrames)));
        return Gen.Select(op, Gen.Int[0, 999]).Array[1, 150].SampleAsync(
            async steps =>
            {
                await using var model = new Model();
                foreach (var (step, number) in steps)
                {
                    await model.StepAsync(step, number);
                }

                await model.FinishAsync();
            },
            iter: histories,
            threads: 1);
    }

    private sealed class Model : IAsyncDisposable
    {
        private readonly Feeds _feeds = new(o => (o.RingFrames, o.PageSize) = (8, 3));
        private readonly List<StatusUpdate> _inFlight = [];

        // The feed may not have noticed the restore yet: a client that connects may get the resync later.
        private bool _isRestored;
        private readonly List<StatusUpdate> _delivered = [];
        private readonly List<Reader> _readers = [];

        // The last positions of clients that disconnected.
        private readonly List<LogPosition> _left = [];

        public async Task StepAsync(Op op, int number)
        {
            switch (op)
            {
                case Op.Append:
                    for (var i = 0; i <= number % 4; i++)
                    {
                        _inFlight.Add(_feeds.Log.Append(User, number % 3 == 0 ? "gen-a" : "gen-b"));
                    }

                    break;
                case Op.Deliver:
                    for (var i = 0; i <= number % 4; i++)
                    {
                        Deliver(0);
                    }

                    break;
                case Op.Lose when _inFlight.Count > 0:
                    _inFlight.RemoveAt(number % _inFlight.Count);
                    break;
                case Op.Repeat when _delivered.Count > 0:
                    _feeds.Channel.Deliver(_delivered[number % _delivered.Count]);
                    break;
                case Op.Swap:
                    Deliver(number % 4);
                    break;
                case Op.Connect:
                    await ConnectAsync(null, number);
                    break;
                case Op.ConnectSince:
                    await ConnectAsync(new LogPosition(Math.Max(0, _feeds.Log.Bounds(User).Last + 2 - (number % 20))), number);
                    break;
                case Op.Reconnect when _left.Count > 0:
                    await ConnectAsync(_left[number % _left.Count], number);
                    break;
                case Op.Disconnect when _readers.Count > 0:
                    _left.Add(_readers[number % _readers.Count].Cursor.Position);
                    _readers[number % _readers.Count].Cursor.Dispose();
                    _readers.RemoveAt(number % _readers.Count);
                    break;
                case Op.Read or Op.ReadPart when _readers.Count > 0:
                    await _readers[number % _readers.Count].ReadAsync(_feeds.Log, op == Op.ReadPart ? 1 : int.MaxValue);
                    break;
                case Op.Trim:
                    _feeds.Log.Trim(User, number % 10);
                    break;
                case Op.Restore:
                    Restore(number % 6);
                    break;
                case Op.GoAway:
                    _feeds.Log.IsAway = true;
                    await Assert.ThrowsAnyAsync<System.Data.Common.DbException>(SweepWithReaderAsync);
                    foreach (var reader in _readers)
                    {
                        await reader.ReadAsync(_feeds.Log, int.MaxValue);
                    }

                    await _feeds.SettleAsync();
                    _feeds.Log.IsAway = false;
                    break;
                case Op.Sweep:
                    await _feeds.SweepAsync();
                    break;
                case Op.Settle:
                    await _feeds.SettleAsync();
                    break;
                case Op.DropFrames:
                    _feeds.Time.Advance(_feeds.Context.Options.RingIdle);
                    await _feeds.SweepAsync();
                    break;
            }
        }

        public async Task FinishAsync()
        {
            // The next sweep checks what looks wrong to a reader.
            var quiet = 0;
            for (var round = 0; quiet < 2; round++)
            {
                Assert.InRange(round, 0, 9);
                await _feeds.SweepAsync();
                quiet++;
                foreach (var reader in _readers)
                {
                    while (await reader.ReadAsync(_feeds.Log, int.MaxValue))
                    {
                        quiet = 0;
                    }
                }
            }

            _readers.ForEach(reader => reader.AssertComplete(_feeds.Log));
        }

        public async ValueTask DisposeAsync()
        {
            _readers.ForEach(reader => reader.Cursor.Dispose());
            await _feeds.DisposeAsync();
        }

        private void Deliver(int index)
        {
            if (index < _inFlight.Count)
            {
                var update = _inFlight[index];
                _inFlight.RemoveAt(index);
                _delivered.Add(update);
                _feeds.Channel.Deliver(update);
            }
        }

        private async Task ConnectAsync(LogPosition? since, int number)
        {
            var opening = _feeds.OpenAsync(User, since, number % 5 == 0 ? "gen-a" : null, maxReadBytes: 500);
            await _feeds.SettleAsync();
            var cursor = await opening;
            Assert.True(since is not { } asked || cursor.Start.Agrees(asked));
            var isUnknown = since is { } position && !_feeds.Log.Has(User, position);
            var reader = new Reader(cursor, number % 5 == 0 ? "gen-a" : null, isUnknown);
            if (_isRestored)
            {
                reader.LogChanged();
            }

            _readers.Add(reader);
        }

        // A backup without updates that clients have seen. It may go unnoticed until the log has grown again, even past the lost updates;
        // announced updates of the old log may still arrive.
        private void Restore(int count)
        {
            _feeds.Log.Restore(User, count);
            _isRestored = true;
            _readers.ForEach(reader => reader.LogChanged());
        }

        private async Task SweepWithReaderAsync()
        {
            if (_readers.Count == 0)
            {
                await ConnectAsync(null, 1);
            }

            await _feeds.SweepAsync();
        }
    }

    /// <summary>A client: it keeps the frames since its last resync and asserts that each is exactly the one that follows.</summary>
    private sealed class Reader(FeedCursor cursor, string? generationId, bool mayResync)
    {
        private readonly List<Frame> _frames = [];
        private bool _hasLogChanged;

        public FeedCursor Cursor => cursor;

        /// <summary>The log was set back: updates of the old log may still come, if a resync comes after them.</summary>
        public void LogChanged() => _hasLogChanged = true;

        public async Task<bool> ReadAsync(FakeLog log, int max)
        {
            var before = cursor.Position;
            var reading = cursor.ReadAsync(TestTime.Token);
            if (!reading.IsCompleted)
            {
                cursor.Signal();
            }

            using var read = await reading;
            var position = cursor.Position;
            switch (read.Kind)
            {
                case FeedReadKind.Nothing:
                    return false;
                case FeedReadKind.Resync:
                    // With a filter, it may have passed entries that no longer exist since the last one it was sent.
                    Assert.True(
                        mayResync || (_hasLogChanged && generationId is not null) || !log.Has(User, before),
                        $"A resync without a reason: from {before} to {read.End}, in {log.Bounds(User)}.");
                    mayResync = false;
                    Assert.Equal(position, read.End);
                    _frames.Clear();
                    return true;
                default:
                    foreach (var frame in read.Frames.ToArray().Take(max))
                    {
                        Assert.True(frame.Position <= log.Bounds(User).Last || _hasLogChanged, "An update that is not committed.");
                        AssertFollows(position.Seq, frame.Position, log);
                        _frames.Add(frame);
                        position = frame.Cursor;
                        cursor.Advance(position);
                    }

                    if (read.Count <= max)
                    {
                        cursor.Advance(read.End);
                    }

                    return true;
            }
        }

        public void AssertComplete(FakeLog log)
        {
            Assert.Equal(log.Bounds(User).Head, cursor.Position);
            foreach (var frame in _frames.Where(frame => frame.Position >= log.Bounds(User).Oldest))
            {
                Assert.True(frame.IsSameAs(Frame.Of(log.At(User, frame.Position))), "An update of another log, without a resync.");
            }
        }

        private void AssertFollows(long position, long next, FakeLog log)
        {
            if (generationId is null)
            {
                Assert.Equal(position + 1, next);
                return;
            }

            Assert.True(next > position);
            if (_hasLogChanged)
            {
                // The passed entries may have been of the old log.
                return;
            }

            for (var passed = Math.Max(position + 1, log.Bounds(User).Oldest); passed < Math.Min(next, log.Bounds(User).Last); passed++)
            {
                Assert.NotEqual(generationId, log.At(User, passed).GenerationId);
            }
        }
    }
}
