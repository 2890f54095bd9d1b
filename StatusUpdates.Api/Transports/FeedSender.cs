using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports;

/// <summary>
/// The sending side of a connection, and the only writer of its stream. What is due at one moment goes out in one write. While a write
/// is blocked it holds those bytes and nothing else: not the frames, and not what is due after them.
/// </summary>
/// <param name="stream">Where to.</param>
/// <param name="cursor">What is due.</param>
/// <param name="format">How it is written.</param>
/// <param name="context">What all connections share.</param>
/// <param name="generation">The one generation that is followed to its end; null: the feed has none.</param>
internal sealed class FeedSender(
    Stream stream, FeedCursor cursor, IFeedFormat format, ConnectionContext context, FollowedGeneration? generation = null)
{
    // What the protocol allows in one batch.
    private const int MaxFrames = 256;

    private long _writeStarted;

    /// <summary>When the write that is running began; null if none is.</summary>
    public long? WriteStarted => Volatile.Read(ref _writeStarted) is not 0 and var started ? started : null;

    /// <summary>Sends until the end: what the format says is the end, or the generation's terminal update.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task RunAsync(string userId)
    {
        if (await WriteStartAsync(userId))
        {
            return;
        }

        while (true)
        {
            var read = await cursor.ReadAsync();
            if (read.Kind == FeedReadKind.Resync)
            {
                if (await WriteResyncAsync(read.End))
                {
                    return;
                }
            }

            if (await WriteAsync(read))
            {
                return;
            }
        }
    }

    // True: nothing follows.
    private async ValueTask<bool> WriteAsync(FeedRead read)
    {
        var at = 0;
        do
        {
            var startedAt = context.Time.GetUtcNow();
            var buffer = default(WriteBuffer);
            if (format.AppendDue(ref buffer))
            {
                read.Dispose();
                await WriteAsync(buffer);
                return true;
            }

            // The position after this write: with a filter the read may end past its last frame.
            var moves = read.Kind == FeedReadKind.Frames;
            var count = Take(read.Frames[at..], moves, out var ends);
            var isLast = ends || at + count == read.Count;
            var position = at + count == read.Count ? read.End : count == 0 ? cursor.Position : read.Frames[at + count - 1].Cursor;
            var write = Begin(read, at, count, ref buffer, startedAt);
            if (!write.IsCompleted)
            {
                // Blocked. The rest of the read is let go: it will be read again, from wherever it then is.
                isLast = true;
                read.Dispose();
                read = default;
            }

            at += count;
            try
            {
                await write;
            }
            finally
            {
                Volatile.Write(ref _writeStarted, 0);
                buffer.Dispose();
            }

            if (moves)
            {
                cursor.Advance(position);
            }

            if (ends)
            {
                read.Dispose();
                return true;
            }

            if (isLast)
            {
                break;
            }
        }
        while (true);

        read.Dispose();
        return false;
    }

    private ValueTask Begin(FeedRead read, int at, int count, ref WriteBuffer buffer, DateTimeOffset startedAt)
    {
        var frames = read.Frames.Slice(at, count);
        var bytes = count == 1 && buffer.IsEmpty ? format.AsIs(frames[0]) : default;
        if (bytes.IsEmpty)
        {
            if (count > 0)
            {
                format.AppendUpdates(ref buffer, frames, read.Kind == FeedReadKind.Frames);
            }

            bytes = buffer.Written;
        }

        if (bytes.IsEmpty)
        {
            return ValueTask.CompletedTask;
        }

        Volatile.Write(ref _writeStarted, context.Time.GetTimestamp() | 1);
        var write = stream.WriteAsync(bytes);
        if (count > 0)
        {
            context.Metrics.Delivered(frames, read.IsLive, format.Transport, startedAt, context.Time.GetUtcNow());
        }

        return write;
    }

    // How many frames go into one write: at least one, however large; none after a followed generation's end.
    private int Take(ReadOnlySpan<Frame> frames, bool inLog, out bool ends)
    {
        var count = 0;
        var bytes = 0;
        ends = false;
        while (!ends
            && count < frames.Length
            && count < MaxFrames
            && (count == 0 || bytes + frames[count].Wire.Length <= context.Options.WriteBytes))
        {
            var frame = frames[count++];
            bytes += frame.Wire.Length;
            ends = generation is not null && inLog && frame.Status.IsTerminal();
        }

        return count;
    }

    private async ValueTask<bool> WriteStartAsync(string userId)
    {
        var buffer = default(WriteBuffer);
        if (generation?.Start is not { } state)
        {
            format.AppendConnected(ref buffer, userId, cursor.Start);
            await WriteAsync(buffer);
            return false;
        }

        // A client that is cut off in between must not resume past what it has not got.
        format.AppendConnected(ref buffer, userId, new(state.Position - 1));
        return await WriteStateAsync(buffer, state);
    }

    private async ValueTask<bool> WriteResyncAsync(LogPosition head)
    {
        var buffer = default(WriteBuffer);
        if (generation is null)
        {
            format.AppendResync(ref buffer, head, head);
            await WriteAsync(buffer);
            return false;
        }

        if (await generation.TryReadStateAsync() is not { } state)
        {
            // It cannot be told now: the client comes back with the position that it has.
            return true;
        }

        // As at the start: one that is cut off before the state must not resume past it.
        format.AppendResync(ref buffer, head, new(state.Position - 1));
        return await WriteStateAsync(buffer, state);
    }

    // A filtered cursor may pass over what came before the state: of its generation the state has all of that.
    private async ValueTask<bool> WriteStateAsync(WriteBuffer buffer, Frame state)
    {
        var position = state.Position > cursor.Position.Seq ? state.Cursor : cursor.Position;
        format.AppendState(ref buffer, state, position);
        await WriteAsync(buffer);
        cursor.Advance(position);
        return state.Status.IsTerminal();
    }

    private async ValueTask WriteAsync(WriteBuffer buffer)
    {
        Volatile.Write(ref _writeStarted, context.Time.GetTimestamp() | 1);
        try
        {
            await stream.WriteAsync(buffer.Written);
        }
        finally
        {
            Volatile.Write(ref _writeStarted, 0);
            buffer.Dispose();
        }
    }
}
