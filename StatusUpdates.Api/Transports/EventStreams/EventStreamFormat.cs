using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports.EventStreams;

/// <summary>
/// A feed as server-sent events (WHATWG HTML, section 9.2). An <c>id</c> is always the position to resume from, and the last line of its event:
/// some clients store it before the event is complete, and one that is cut off in between would otherwise resume past an event that it never got. Not
/// written by the framework's results: those write and flush each event separately, and encode each update for each connection.
/// Concurrency: <see cref="Heartbeat"/> and <see cref="End"/> may be called by any thread; everything else by the sending side only.
/// </summary>
internal sealed class EventStreamFormat(FeedCursor cursor, TimeSpan retry) : IFeedFormat
{
    private int _heartbeat;
    private int _ended;

    /// <summary>Whether the stream is ending.</summary>
    public bool IsEnded => Volatile.Read(ref _ended) != 0;

    /// <summary>Sends a sign of life; on a filtered stream, the position.</summary>
    public void Heartbeat()
    {
        Volatile.Write(ref _heartbeat, 1);
        cursor.Signal();
    }

    /// <summary>Ends the stream.</summary>
    public void End()
    {
        Volatile.Write(ref _ended, 1);
        cursor.Signal();
    }

    public void AppendConnected(ref WriteBuffer buffer, string userId, LogPosition position)
    {
        AppendRetry(ref buffer, retry);
        AppendEvent(ref buffer, "connected"u8, StreamPosition.Encode(userId, position), position);
    }

    public void AppendResync(ref WriteBuffer buffer, LogPosition head, LogPosition position) =>
        AppendEvent(ref buffer, "resync"u8, StreamPosition.Encode(null, head), position);

    public void AppendState(ref WriteBuffer buffer, Frame state, LogPosition position) => AppendUpdate(ref buffer, state, position);

    public void AppendUpdates(ref WriteBuffer buffer, ReadOnlySpan<Frame> frames, bool inLog)
    {
        foreach (var frame in frames)
        {
            AppendUpdate(ref buffer, frame, inLog ? frame.Cursor : null);
        }
    }

    public ReadOnlyMemory<byte> Preencoded(Frame frame) => default;

    public bool AppendPending(ref WriteBuffer buffer)
    {
        if (Interlocked.Exchange(ref _heartbeat, 0) != 0)
        {
            if (cursor.IsFiltered)
            {
                // With data: many clients ignore an id without an event.
                var position = cursor.Position;
                AppendEvent(ref buffer, "position"u8, StreamPosition.Encode(null, position), position);
            }
            else
            {
                buffer.Append(":\n\n"u8);
            }
        }

        return IsEnded;
    }

    /// <summary>How long the client should wait before it reconnects.</summary>
    public static void AppendRetry(ref WriteBuffer buffer, TimeSpan wait)
    {
        const int MaxDigits = 20;
        buffer.Append("retry: "u8);
        ((long)wait.TotalMilliseconds).TryFormat(buffer.GetSpan(MaxDigits), out var length, default, CultureInfo.InvariantCulture);
        buffer.Advance(length);
        buffer.Append("\n"u8);
    }

    /// <summary>Appends an event.</summary>
    /// <param name="buffer">The buffer to append to.</param>
    /// <param name="name">Its name.</param>
    /// <param name="json">Its data: JSON without indentation, and so on one line.</param>
    /// <param name="id">The position to resume from; null: the event does not change it.</param>
    public static void AppendEvent(ref WriteBuffer buffer, ReadOnlySpan<byte> name, ReadOnlySpan<byte> json, LogPosition? id)
    {
        buffer.Append("event: "u8);
        buffer.Append(name);
        buffer.Append("\ndata: "u8);
        buffer.Append(json);
        if (id is { } position)
        {
            buffer.Append("\nid: "u8);
            buffer.Advance(position.Format(buffer.GetSpan(LogPosition.MaxLength)));
        }

        buffer.Append("\n\n"u8);
    }

    private static void AppendUpdate(ref WriteBuffer buffer, Frame frame, LogPosition? id) =>
        AppendEvent(ref buffer, "status_update"u8, frame.Payload.Span, id);
}

/// <summary>The data of <c>connected</c>, <c>position</c> and <c>resync</c>: where the stream continues.</summary>
internal sealed record StreamPosition(string? UserId, long Seq, string Cursor)
{
    public static byte[] Encode(string? userId, LogPosition position) => JsonSerializer.SerializeToUtf8Bytes(
        new(userId, position.Seq, position.ToString()), EventStreamJsonContext.Default.StreamPosition);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StreamPosition))]
internal sealed partial class EventStreamJsonContext : JsonSerializerContext;
