using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Text.Json;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// One update, encoded once for all connections of its user: a whole WebSocket text frame (RFC 6455, section 5.2; servers do not mask)
/// around <c>{"type":"status_update","payload":{…}}</c>. Other transports take the slice they need. Immutable except for the flag that
/// its delivery has been traced; thread-safe.
/// </summary>
internal sealed class Frame
{
    // A larger buffer is not kept for the thread's next frame.
    private const int MaxKeptBuffer = 64 * 1024;

    // The first byte of a text message that is one frame: FIN, opcode 1.
    private const byte TextFrame = 0x81;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _threadBuffer;

    [ThreadStatic]
    private static Utf8JsonWriter? _threadWriter;

    private readonly byte[] _wire;
    private readonly int _headerLength;
    private bool _traced;

    private Frame(byte[] wire, int headerLength, LogPosition position)
    {
        _wire = wire;
        _headerLength = headerLength;
        (Position, Check) = (position.Seq, position.Check);
    }

    /// <summary>The update's <c>seq</c>; for an update without one, 0, or its number among the feed's updates without one (<see cref="Numbered"/>).</summary>
    public long Position { get; private init; }

    /// <summary>Whether it has a <c>seq</c>; otherwise its publisher keeps no log.</summary>
    public required bool IsLogged { get; init; }

    /// <summary>The update's check; null if unknown.</summary>
    public uint? Check { get; }

    /// <summary>Its position in the log; meaningless for an update that is in no log.</summary>
    public LogPosition Cursor => new(Position, Check);

    /// <summary>The position that it directly follows in the log, if its publisher named it.</summary>
    public LogPosition? After { get; private init; }

    public required string GenerationId { get; init; }

    public required GenerationStatus Status { get; init; }

    /// <summary>When it happened, in Unix milliseconds.</summary>
    public required long Timestamp { get; init; }

    /// <summary>The trace that the update belongs to; default if none. Kept outside the encoded frame: clients must not see it.</summary>
    public ActivityContext Trace { get; private init; }

    /// <summary>The WebSocket frame, including its header.</summary>
    public ReadOnlyMemory<byte> Wire => _wire;

    /// <summary>The update as JSON, without <c>traceparent</c> and <c>after</c>, which are internal to the services.</summary>
    public ReadOnlyMemory<byte> Payload => _wire.AsMemory(_headerLength + Prefix.Length, _wire.Length - _headerLength - Prefix.Length - 1);

    private static ReadOnlySpan<byte> Prefix => "{\"type\":\"status_update\",\"payload\":"u8;

    // Of the update and of the message.
    private static ReadOnlySpan<byte> End => "}}"u8;

    /// <summary>Encodes an update.</summary>
    public static Frame Of(StatusUpdate update)
    {
        var buffer = _threadBuffer ??= new ArrayBufferWriter<byte>(1024);
        var writer = _threadWriter ??= new Utf8JsonWriter(buffer);
        buffer.ResetWrittenCount();
        writer.Reset(buffer);
        JsonSerializer.Serialize(writer, update.ForClients(), StatusJsonContext.Default.StatusUpdate);
        writer.Flush();
        var wire = Wrap(buffer.WrittenSpan[..^1], out var headerLength);
        if (buffer.Capacity > MaxKeptBuffer)
        {
            _threadBuffer = null;
            _threadWriter = null;
        }

        return new Frame(wire, headerLength, update.Position ?? default)
        {
            IsLogged = update.Seq is not null,
            After = update.After is { } after && LogPosition.TryParse(after, out var before) ? before : null,
            GenerationId = update.GenerationId,
            Status = update.Status,
            Timestamp = update.Timestamp,
            Trace = TraceOf(update.TraceParent),
        };
    }

    /// <summary>Copies the JSON of a genuine message.</summary>
    public static Frame Of(SealedUpdate update) => new(Wrap(update.OpenJson.Span, out var headerLength), headerLength, update.Position)
    {
        IsLogged = true,
        After = update.After,
        GenerationId = update.GenerationId,
        Status = update.Status,
        Timestamp = update.Timestamp,
        Trace = TraceOf(update.TraceParent),
    };

    /// <summary>The same update without a <c>seq</c>, as the one with this number in its feed.</summary>
    public Frame Numbered(long number) => new(_wire, _headerLength, number)
    {
        IsLogged = false,
        GenerationId = GenerationId,
        Status = Status,
        Timestamp = Timestamp,
        Trace = Trace,
    };

    /// <summary>The header length of a server's frame with a payload of this length.</summary>
    public static int HeaderLength(int payloadLength) => payloadLength switch
    {
        < 126 => 2,
        <= ushort.MaxValue => 4,
        _ => 10,
    };

    /// <summary>Writes the header of an unmasked, final frame.</summary>
    /// <returns>Its length.</returns>
    public static int WriteHeader(Span<byte> to, byte firstByte, int payloadLength)
    {
        to[0] = firstByte;
        switch (HeaderLength(payloadLength))
        {
            case 2:
                to[1] = (byte)payloadLength;
                return 2;
            case 4:
                to[1] = 126;
                BinaryPrimitives.WriteUInt16BigEndian(to[2..], (ushort)payloadLength);
                return 4;
            default:
                to[1] = 127;
                BinaryPrimitives.WriteUInt64BigEndian(to[2..], (ulong)payloadLength);
                return 10;
        }
    }

    /// <summary>Whether the caller should trace the delivery: true for the first caller only, and only if the update belongs to a trace.</summary>
    public bool TryBeginTrace() => Trace != default && !Volatile.Read(ref _traced) && !Interlocked.Exchange(ref _traced, true);

    /// <summary>Whether this is the same update as <paramref name="other"/>, as far as can be determined.</summary>
    public bool IsSameAs(Frame other) =>
        Cursor.Agrees(other.Cursor)
        && Timestamp == other.Timestamp
        && Status == other.Status
        && string.Equals(GenerationId, other.GenerationId, StringComparison.Ordinal);

    /// <summary>The WebSocket frame of an update, which is given as JSON without its closing brace.</summary>
    private static byte[] Wrap(ReadOnlySpan<byte> openJson, out int headerLength)
    {
        var messageLength = Prefix.Length + openJson.Length + End.Length;
        var wire = GC.AllocateUninitializedArray<byte>(HeaderLength(messageLength) + messageLength);
        headerLength = WriteHeader(wire, TextFrame, messageLength);
        Prefix.CopyTo(wire.AsSpan(headerLength));
        openJson.CopyTo(wire.AsSpan(headerLength + Prefix.Length));
        End.CopyTo(wire.AsSpan(wire.Length - End.Length));
        return wire;
    }

    private static ActivityContext TraceOf(string? traceParent) =>
        traceParent is not null && ActivityContext.TryParse(traceParent, null, isRemote: true, out var context) ? context : default;
}
