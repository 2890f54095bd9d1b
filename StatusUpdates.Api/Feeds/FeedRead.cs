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
internal readonly struct FeedRead(FeedReadKind kind, Frame[]? frames, int count, LogPosition end, bool live) : IDisposable
{
    public static FeedRead Nothing => default;

    public FeedReadKind Kind => kind;

    /// <summary>The position after this read; with a filter it may be past the last frame.</summary>
    public LogPosition End => end;

    /// <summary>Whether the frames are live, not from a replay.</summary>
    public bool IsLive => live;

    public int Count => count;

    public ReadOnlySpan<Frame> Frames => frames.AsSpan(0, count);

    public static Frame[] Rent(int length) => ArrayPool<Frame>.Shared.Rent(length);

    public static void Return(Frame[]? frames, int count)
    {
        if (frames is not null)
        {
            Array.Clear(frames, 0, count);
            ArrayPool<Frame>.Shared.Return(frames);
        }
    }

    public void Dispose() => Return(frames, count);
}
