using System.Buffers.Binary;
using System.Text;
using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>Whole WebSocket frames (RFC 6455, section 5.2), one after the other in one write.</summary>
internal static class WebSocketFrames
{
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
            buffer.AppendFrame(Close, []);
            return;
        }

        Span<byte> payload = stackalloc byte[sizeof(ushort) + reason.Text.Length];
        BinaryPrimitives.WriteUInt16BigEndian(payload, reason.Code);
        Encoding.ASCII.GetBytes(reason.Text, payload[sizeof(ushort)..]);
        buffer.AppendFrame(Close, payload);
    }

    /// <summary>Each update as a message of its own.</summary>
    public static void AppendEach(this ref WriteBuffer buffer, ReadOnlySpan<Frame> frames)
    {
        var size = 0;
        foreach (var frame in frames)
        {
            size += frame.Wire.Length;
        }

        // Room for all at once: growing step by step would rent, and copy, at every step.
        buffer.GetSpan(size);
        foreach (var frame in frames)
        {
            buffer.Append(frame.Wire.Span);
        }
    }

    /// <summary>All updates in one message.</summary>
    public static void AppendBatch(this ref WriteBuffer buffer, ReadOnlySpan<Frame> frames)
    {
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
