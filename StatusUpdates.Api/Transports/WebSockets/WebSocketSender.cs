using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>
/// The sending side of a connection, and the only writer of its stream. What is due at one moment goes out in one write. While a write
/// is blocked it holds those bytes and nothing else: not the frames, and not what is due after them.
/// </summary>
internal sealed class WebSocketSender(Stream stream, FeedCursor cursor, Outbox outbox, WebSocketContext context, bool batches)
{
    private long _writeStarted;

    /// <summary>When the write that is running began; null if none is.</summary>
    public long? WriteStarted => Volatile.Read(ref _writeStarted) is not 0 and var started ? started : null;

    /// <summary>Sends until the close frame is out.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task RunAsync(string userId)
    {
        await WriteTextAsync(ServerMessage.Connected(userId, cursor.Start));
        while (true)
        {
            var read = await cursor.ReadAsync();
            if (read.Kind == FeedReadKind.Resync)
            {
                await WriteTextAsync(ServerMessage.Resync(read.End));
            }

            if (await WriteAsync(read))
            {
                return;
            }
        }
    }

    // True: the close frame is out.
    private async ValueTask<bool> WriteAsync(FeedRead read)
    {
        var at = 0;
        do
        {
            var startedAt = context.Time.GetUtcNow();
            var buffer = default(WriteBuffer);
            outbox.MoveTo(ref buffer);
            if (outbox.Closing is { } reason)
            {
                read.Dispose();
                await WriteCloseAsync(buffer, reason);
                return true;
            }

            // The position after this write: with a filter the read may end past its last frame.
            var count = Take(read.Frames[at..]);
            var isLast = at + count == read.Count;
            var position = isLast ? read.End : count == 0 ? cursor.Position : read.Frames[at + count - 1].Position;
            var moves = read.Kind == FeedReadKind.Frames;
            var write = Begin(read, at, count, ref buffer, startedAt);
            if (!write.IsCompleted)
            {
                // Blocked. The rest of the read is let go: it will be read again, from wherever it then is.
                isLast = true;
                if (at + count < read.Count)
                {
                    position = moves ? read.Frames[at + count - 1].Position : position;
                }

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
        var bytes = ReadOnlyMemory<byte>.Empty;
        if (count == 1 && buffer.IsEmpty)
        {
            // Nothing to put together: the shared bytes go out as they are.
            bytes = frames[0].Wire;
        }
        else
        {
            if (batches && count > 1)
            {
                buffer.AppendBatch(frames);
            }
            else if (count > 0)
            {
                buffer.AppendEach(frames);
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
            context.Metrics.Delivered(frames, read.IsLive, WebSocketContext.Transport, startedAt, context.Time.GetUtcNow());
        }

        return write;
    }

    // How many frames go into one write: at least one, however large.
    private int Take(ReadOnlySpan<Frame> frames)
    {
        var count = 0;
        var bytes = 0;
        while (count < frames.Length && (count == 0 || bytes + frames[count].Wire.Length <= context.Options.WriteBytes))
        {
            bytes += frames[count++].Wire.Length;
        }

        return count;
    }

    private async ValueTask WriteTextAsync(ServerMessage message)
    {
        var buffer = default(WriteBuffer);
        buffer.AppendText(message.Encode());
        await WriteAsync(buffer);
    }

    private async ValueTask WriteCloseAsync(WriteBuffer buffer, CloseReason reason)
    {
        buffer.AppendClose(reason);
        await WriteAsync(buffer);
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
