using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports;

/// <summary>
/// The sending side of a connection, and the only writer of its stream. Everything that is due at one moment goes out in one write. A blocked
/// write holds only its own bytes: neither the frames, nor what is due after them.
/// </summary>
/// <param name="stream">The stream to write to.</param>
/// <param name="cursor">The source of updates.</param>
/// <param name="format">The transport's format.</param>
/// <param name="context">What all connections share.</param>
/// <param name="transport">The transport's name in metrics.</param>
/// <param name="generation">The generation that is followed to its end; null: the feed has no end.</param>
internal sealed class FeedSender(
    Stream stream, FeedCursor cursor, IFeedFormat format, ConnectionContext context, string transport, FollowedGeneration? generation = null)
{
    // The protocol's limit for one batch.
    private const int MaxFrames = 256;

    private long _writeStarted;

    /// <summary>When the current write began; null if there is none.</summary>
    public long? WriteStarted => Volatile.Read(ref _writeStarted) is not 0 and var started ? started : null;

    /// <summary>Sends until the format reports the end, or until the generation's terminal update.</summary>
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
            if ((read.Kind == FeedReadKind.Resync && await WriteResyncAsync(read.End)) || await WriteAsync(read))
            {
                return;
            }
        }
    }

    // True: the end; nothing follows.
    private async ValueTask<bool> WriteAsync(FeedRead read)
    {
        var at = 0;
        while (true)
        {
            var startedAt = context.Time.GetUtcNow();
            var buffer = default(WriteBuffer);
            if (format.AppendPending(ref buffer))
            {
                read.Dispose();
                await WriteAsync(buffer);
                return true;
            }

            // The position after this write; with a filter the read may end past its last frame.
            var moves = read.Kind == FeedReadKind.Frames;
            var count = Take(read.Frames[at..], moves, out var ends);
            var isLast = ends || at + count == read.Count;
            var position = at + count == read.Count ? read.End : count == 0 ? cursor.Position : read.Frames[at + count - 1].Cursor;
            var write = Begin(read, at, count, ref buffer, startedAt);
            if (!write.IsCompleted)
            {
                // Blocked. The rest of the read is released: it will be read again later, from wherever it is by then.
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

            if (isLast)
            {
                read.Dispose();
                return ends;
            }
        }
    }

    private ValueTask Begin(FeedRead read, int at, int count, ref WriteBuffer buffer, DateTimeOffset startedAt)
    {
        var frames = read.Frames.Slice(at, count);
        var bytes = count == 1 && buffer.IsEmpty ? format.Preencoded(frames[0]) : default;
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
            context.Metrics.Delivered(frames, read.IsLive, transport, startedAt, context.Time.GetUtcNow());
        }

        return write;
    }

    // How many frames go into one write: at least one, however large; none after the end of a followed generation.
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

        // A client that is cut off before it gets the state must not resume past it.
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
            // The state is unavailable now: the client reconnects with the position that it has.
            return true;
        }

        // As at the start: a client that is cut off before it gets the state must not resume past it.
        format.AppendResync(ref buffer, head, new(state.Position - 1));
        return await WriteStateAsync(buffer, state);
    }

    // A filtered cursor may skip what came before the state: the state includes all of that for its generation.
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
