using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>What goes out in one write: whole frames, one after the other, in a pooled array that exists only while they are written.</summary>
internal struct WriteBuffer : IDisposable
{
    private const byte Text = 0x81;
    private const byte Close = 0x88;
    private const byte Ping = 0x89;
    private const byte Pong = 0x8A;
    private const int MinSize = 256;

    private byte[]? _bytes;
    private int _length;

    public readonly bool IsEmpty => _length == 0;

    public readonly ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, _length);

    private static ReadOnlySpan<byte> BatchStart => "{\"type\":\"status_batch\",\"payloads\":["u8;

    private static ReadOnlySpan<byte> BatchEnd => "]}"u8;

    public void AppendText(ReadOnlySpan<byte> json) => Append(Text, json);

    public void AppendPing() => Append(Ping, []);

    public void AppendPong(ReadOnlySpan<byte> data) => Append(Pong, data);

    public void AppendClose(CloseReason reason)
    {
        if (reason.Code == 0)
        {
            Append(Close, []);
            return;
        }

        Span<byte> payload = stackalloc byte[sizeof(ushort) + reason.Text.Length];
        BinaryPrimitives.WriteUInt16BigEndian(payload, reason.Code);
        Encoding.ASCII.GetBytes(reason.Text, payload[sizeof(ushort)..]);
        Append(Close, payload);
    }

    /// <summary>Each update as a message of its own.</summary>
    public void AppendEach(ReadOnlySpan<Frame> frames)
    {
        var size = 0;
        foreach (var frame in frames)
        {
            size += frame.Wire.Length;
        }

        Ensure(size);
        foreach (var frame in frames)
        {
            frame.Wire.Span.CopyTo(_bytes.AsSpan(_length));
            _length += frame.Wire.Length;
        }
    }

    /// <summary>All updates in one message.</summary>
    public void AppendBatch(ReadOnlySpan<Frame> frames)
    {
        var size = BatchStart.Length + BatchEnd.Length + frames.Length - 1;
        foreach (var frame in frames)
        {
            size += frame.Payload.Length;
        }

        Ensure(Frame.HeaderLength(size) + size);
        _length += Frame.WriteHeader(_bytes.AsSpan(_length), Text, size);
        Copy(BatchStart);
        for (var i = 0; i < frames.Length; i++)
        {
            if (i > 0)
            {
                Copy(","u8);
            }

            Copy(frames[i].Payload.Span);
        }

        Copy(BatchEnd);
    }

    public void Dispose()
    {
        if (_bytes is { } bytes)
        {
            _bytes = null;
            _length = 0;
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private void Append(byte firstByte, ReadOnlySpan<byte> payload)
    {
        Ensure(Frame.HeaderLength(payload.Length) + payload.Length);
        _length += Frame.WriteHeader(_bytes.AsSpan(_length), firstByte, payload.Length);
        Copy(payload);
    }

    private void Copy(ReadOnlySpan<byte> from)
    {
        from.CopyTo(_bytes.AsSpan(_length));
        _length += from.Length;
    }

    private void Ensure(int more)
    {
        if (_bytes is { } bytes && bytes.Length - _length >= more)
        {
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(MinSize, _length + more));
        if (_bytes is { } old)
        {
            old.AsSpan(0, _length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(old);
        }

        _bytes = larger;
    }
}
