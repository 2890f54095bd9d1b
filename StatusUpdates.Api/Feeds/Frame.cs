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

    private Frame(byte[] wire, int headerLength, long position, StatusUpdate update)
    {
        _wire = wire;
        _headerLength = headerLength;
        Position = position;
        GenerationId = update.GenerationId;
        Status = update.Status;
        Timestamp = update.Timestamp;
        Check = update.Position?.Check;
        After = update.After is { } after && LogPosition.TryParse(after, out var before) ? before : null;

        // The trace is kept outside the encoded frame: clients must not see it.
        if (update.TraceParent is { } parent && ActivityContext.TryParse(parent, null, isRemote: true, out var context))
        {
            Trace = context;
        }
    }

    /// <summary>The update's <c>seq</c>; for an update without one, its number among the feed's updates without one.</summary>
    public long Position { get; }

    /// <summary>The update's check; null if unknown.</summary>
    public uint? Check { get; }

    /// <summary>Its position in the log; meaningless for an update that is in no log (<see cref="Unlogged"/>).</summary>
    public LogPosition Cursor => new(Position, Check);

    /// <summary>The position that it directly follows in the log, if its publisher named it.</summary>
    public LogPosition? After { get; }

    public string GenerationId { get; }

    public GenerationStatus Status { get; }

    /// <summary>When it happened, in Unix milliseconds.</summary>
    public long Timestamp { get; }

    /// <summary>The trace that the update belongs to; default if none.</summary>
    public ActivityContext Trace { get; }

    /// <summary>The WebSocket frame, including its header.</summary>
    public ReadOnlyMemory<byte> Wire => _wire;

    /// <summary>The update as JSON, without <c>traceparent</c> and <c>after</c>, which are internal to the services.</summary>
    public ReadOnlyMemory<byte> Payload => _wire.AsMemory(_headerLength + Prefix.Length, _wire.Length - _headerLength - Prefix.Length - 1);

    private static ReadOnlySpan<byte> Prefix => "{\"type\":\"status_update\",\"payload\":"u8;

    /// <summary>Encodes an update that is in the log.</summary>
    public static Frame Of(StatusUpdate update) =>
        Encode(update, update.Seq ?? throw new ArgumentException("The update has no seq.", nameof(update)));

    /// <summary>Encodes an update without a <c>seq</c>, whose publisher keeps no log.</summary>
    /// <param name="update">The update.</param>
    /// <param name="number">Its number among the feed's updates without a <c>seq</c>.</param>
    public static Frame Unlogged(StatusUpdate update, long number) => Encode(update, number);

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
    public bool IsSameAs(StatusUpdate other) =>
        (Check is null || other.Position?.Check is not { } check || Check == check)
        && Timestamp == other.Timestamp
        && Status == other.Status
        && string.Equals(GenerationId, other.GenerationId, StringComparison.Ordinal);

    private static Frame Encode(StatusUpdate update, long position)
    {
        var buffer = _threadBuffer ??= new ArrayBufferWriter<byte>(1024);
        var writer = _threadWriter ??= new Utf8JsonWriter(buffer);
        buffer.ResetWrittenCount();
        writer.Reset(buffer);
        JsonSerializer.Serialize(writer, update.ForClients(), StatusJsonContext.Default.StatusUpdate);
        writer.Flush();

        var payload = buffer.WrittenSpan;
        var messageLength = Prefix.Length + payload.Length + 1;
        var wire = GC.AllocateUninitializedArray<byte>(HeaderLength(messageLength) + messageLength);
        var headerLength = WriteHeader(wire, TextFrame, messageLength);
        Prefix.CopyTo(wire.AsSpan(headerLength));
        payload.CopyTo(wire.AsSpan(headerLength + Prefix.Length));
        wire[^1] = (byte)'}';

        if (buffer.Capacity > MaxKeptBuffer)
        {
            _threadBuffer = null;
            _threadWriter = null;
        }

        return new Frame(wire, headerLength, position, update);
    }
}
