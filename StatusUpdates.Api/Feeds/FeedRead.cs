using System.Buffers;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

internal enum FeedReadKind
{
    /// <summary>No updates: the cursor was signaled.</summary>
    Nothing,

    /// <summary>Updates of the log, in order, directly after the cursor's position.</summary>
    Frames,

    /// <summary>Updates without a <c>seq</c>: their publisher keeps no log.</summary>
    Unlogged,

    /// <summary>The log cannot serve the cursor from its position; it continues from <see cref="FeedRead.End"/>.</summary>
    Resync,
}

/// <summary>The result of a cursor's read. The frames are in a pooled array: dispose it once, and keep no slice of it.</summary>
internal readonly struct FeedRead : IDisposable
{
    private readonly Frame[]? _frames;
    private readonly int _count;

    private FeedRead(FeedReadKind kind, Frame[]? frames, int count, LogPosition end, bool live)
    {
        Kind = kind;
        _frames = frames;
        _count = count;
        End = end;
        IsLive = live;
    }

    public static FeedRead Nothing => default;

    public FeedReadKind Kind { get; }

    /// <summary>The position after this read; with a filter it may be past the last frame.</summary>
    public LogPosition End { get; }

    /// <summary>Whether the frames are live, not from a replay.</summary>
    public bool IsLive { get; }

    public int Count => _count;

    public ReadOnlySpan<Frame> Frames => _frames.AsSpan(0, _count);

    public static FeedRead Of(Frame[] rented, int count, LogPosition end, bool live) => new(FeedReadKind.Frames, rented, count, end, live);

    public static FeedRead Unlogged(Frame[] rented, int count, LogPosition position) =>
        new(FeedReadKind.Unlogged, rented, count, position, live: true);

    public static FeedRead Resync(LogPosition head) => new(FeedReadKind.Resync, null, 0, head, live: false);

    public static Frame[] Rent(int length) => ArrayPool<Frame>.Shared.Rent(length);

    public static void Return(Frame[]? frames, int count)
    {
        if (frames is not null)
        {
            Array.Clear(frames, 0, count);
            ArrayPool<Frame>.Shared.Return(frames);
        }
    }

    public void Dispose() => Return(_frames, _count);
}
