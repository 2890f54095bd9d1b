using System.Buffers.Binary;
using System.Text;
using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>
/// Writes whole WebSocket frames (RFC 6455, section 5.2), several into one buffer. Not to be confused with <see cref="Frame"/>, which is one update and
/// contains its WebSocket frame (<see cref="Frame.Wire"/>).
/// </summary>
internal static class WebSocketFrames
{
    // First bytes of frames: the bit that says that the message ends here (0x80), and the opcode.
    private const byte Text = 0x81;
    private const byte Close = 0x88;
    private const byte Ping = 0x89;
    private const byte Pong = 0x8A;

    private static ReadOnlySpan<byte> BatchStart => "{\"type\":\"status_batch\",\"payloads\":["u8;

    private static ReadOnlySpan<byte> BatchEnd => "]}"u8;

    public static void AppendText(this ref WriteBuffer buffer, ReadOnlySpan<byte> json) => buffer.AppendFrame(Text, json);

    public static void AppendPing(this ref WriteBuffer buffer) => buffer.AppendFrame(Ping, []);

    public static void AppendPong(this ref WriteBuffer buffer, ReadOnlySpan<byte> data) => buffer.AppendFrame(Pong, data);

    public static void AppendClose(this ref WriteBuffer buffer, CloseReason reason)
    {
        if (reason.Code == 0)
        {
            // No code at all; 0 is not one that may be sent.
            buffer.AppendFrame(Close, []);
            return;
        }

        Span<byte> payload = stackalloc byte[sizeof(ushort) + reason.Text.Length];
        BinaryPrimitives.WriteUInt16BigEndian(payload, reason.Code);
        Encoding.ASCII.GetBytes(reason.Text, payload[sizeof(ushort)..]);
        buffer.AppendFrame(Close, payload);
    }

    /// <summary>Each update as a separate message, exactly as it was encoded for all connections.</summary>
    public static void AppendEach(this ref WriteBuffer buffer, ReadOnlySpan<Frame> frames)
    {
        var size = 0;
        foreach (var frame in frames)
        {
            size += frame.Wire.Length;
        }

        // Reserved all at once, hence the unused result: growing step by step would rent a new array and copy at each step.
        buffer.GetSpan(size);
        foreach (var frame in frames)
        {
            buffer.Append(frame.Wire.Span);
        }
    }

    /// <summary>All updates in one message, of which there must be at least one.</summary>
    public static void AppendBatch(this ref WriteBuffer buffer, ReadOnlySpan<Frame> frames)
    {
        // The header comes first and states the length of all that follows, commas included.
        var size = BatchStart.Length + BatchEnd.Length + frames.Length - 1;
        foreach (var frame in frames)
        {
            size += frame.Payload.Length;
        }

        buffer.Advance(Frame.WriteHeader(buffer.GetSpan(Frame.HeaderLength(size) + size), Text, size));
        buffer.Append(BatchStart);
        for (var i = 0; i < frames.Length; i++)
        {
            if (i > 0)
            {
                buffer.Append(","u8);
            }

            buffer.Append(frames[i].Payload.Span);
        }

        buffer.Append(BatchEnd);
    }

    private static void AppendFrame(this ref WriteBuffer buffer, byte firstByte, ReadOnlySpan<byte> payload)
    {
        buffer.Advance(Frame.WriteHeader(buffer.GetSpan(Frame.HeaderLength(payload.Length) + payload.Length), firstByte, payload.Length));
        buffer.Append(payload);
    }
}
