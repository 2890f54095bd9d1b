using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace StatusUpdates.Api.Transports.WebSockets;

internal enum ReceivedKind
{
    /// <summary>A whole text message, valid UTF-8.</summary>
    Text,

    /// <summary>A ping with its data.</summary>
    Ping,

    /// <summary>A pong; its data is ignored.</summary>
    Pong,

    /// <summary>The client closes.</summary>
    Close,

    /// <summary>The client broke the protocol; nothing after it can be read.</summary>
    Violation,

    /// <summary>The stream ended without a close.</summary>
    End,
}

/// <summary>A received message or event.</summary>
/// <param name="Kind">What was received.</param>
/// <param name="Data">With text and ping: the data, valid until the next read.</param>
/// <param name="Reason">With close and violation: the reason to close with.</param>
internal readonly record struct Received(ReceivedKind Kind, ReadOnlyMemory<byte> Data = default, CloseReason? Reason = null);

/// <summary>
/// Reads a client's frames (RFC 6455, section 5) into messages. While idle it holds no buffer; of an incomplete message it holds at most the
/// message limit. UTF-8 is validated as it arrives, also across fragments. One reader at a time.
/// </summary>
internal sealed class WebSocketReader(Stream stream, int maxMessageBytes)
{
    private const int InputSize = 4096;
    private const int MaxHeader = 14;
    private const int MaxControl = 125;

    private byte[]? _input;
    private int _start;
    private int _end;

    private byte[]? _message;
    private int _length;
    private int _validated;

    // Of the message that is being received; 0: none is.
    private int _fragments;

    private byte[]? _control;
    private int _controlLength;

    // The frame whose payload is being read; no opcode: its header comes next.
    private Opcode? _opcode;
    private bool _final;
    private int _remaining;
    private uint _mask;

    private enum Opcode : byte
    {
        Continuation = 0,
        Text = 1,
        Binary = 2,
        Close = 8,
        Ping = 9,
        Pong = 10,
    }

    /// <summary>Reads the next message or event.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    public async ValueTask<Received> ReadAsync()
    {
        if (_fragments == 0)
        {
            ReturnMessage();
        }

        while (true)
        {
            if (Parse() is { } received)
            {
                return received;
            }

            if (!await FillAsync())
            {
                return new Received(ReceivedKind.End);
            }
        }
    }

    /// <summary>Reads and discards everything until the client closes its side.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task DrainAsync()
    {
        do
        {
            _start = _end = 0;
        }
        while (await FillAsync());
    }

    /// <summary>Returns the buffers to the pool. Only when no read is running.</summary>
    public void Release()
    {
        ReturnInput();
        ReturnMessage();
    }

    // Null: more input is needed.
    private Received? Parse()
    {
        while (_start < _end)
        {
            if (_opcode is null && ReadHeader() is { } violation)
            {
                return new Received(ReceivedKind.Violation, default, violation);
            }

            if (_opcode is not { } opcode)
            {
                return null;
            }

            var count = Math.Min(_remaining, _end - _start);
            var chunk = _input.AsSpan(_start, count);
            Unmask(chunk);
            _start += count;
            _remaining -= count;
            if ((opcode >= Opcode.Close ? TakeControl(opcode, chunk) : TakeData(chunk)) is { } received)
            {
                return received;
            }
        }

        return null;
    }

    // Sets the opcode once the header is complete and valid.
    private CloseReason? ReadHeader()
    {
        var input = _input.AsSpan(_start, _end - _start);
        if (input.Length < 2)
        {
            return null;
        }

        var opcode = (Opcode)(input[0] & 0x0F);
        var final = (input[0] & 0x80) != 0;
        var isControl = opcode >= Opcode.Close;
        var shortLength = input[1] & 0x7F;
        if ((input[0] & 0x70) != 0
            || (input[1] & 0x80) == 0
            || !Enum.IsDefined(opcode)
            || (isControl && (!final || shortLength > MaxControl))
            || (!isControl && (opcode == Opcode.Continuation) != (_fragments > 0)))
        {
            return CloseReason.ProtocolError;
        }

        if (opcode == Opcode.Binary)
        {
            return CloseReason.Binary;
        }

        var lengthBytes = shortLength switch { 126 => 2, 127 => 8, _ => 0 };
        if (input.Length < 2 + lengthBytes + sizeof(uint))
        {
            return null;
        }

        var length = lengthBytes switch
        {
            0 => (ulong)shortLength,
            2 => BinaryPrimitives.ReadUInt16BigEndian(input[2..]),
            _ => BinaryPrimitives.ReadUInt64BigEndian(input[2..]),
        };
        if ((lengthBytes == 2 && length < 126) || (lengthBytes == 8 && length is <= ushort.MaxValue or > long.MaxValue))
        {
            return CloseReason.ProtocolError;
        }

        // Checked by the header, without reading the rest. The number of fragments is limited too, because empty ones add nothing to the size.
        if (!isControl && (length > (ulong)(maxMessageBytes - _length) || ++_fragments > maxMessageBytes))
        {
            return CloseReason.TooBig;
        }

        _opcode = opcode;
        _final = final;
        _remaining = (int)length;
        _mask = BinaryPrimitives.ReadUInt32LittleEndian(input[(2 + lengthBytes)..]);
        _start += 2 + lengthBytes + sizeof(uint);
        return null;
    }

    private void Unmask(Span<byte> chunk)
    {
        for (var i = 0; i < chunk.Length; i++)
        {
            chunk[i] ^= (byte)_mask;
            _mask = uint.RotateRight(_mask, 8);
        }
    }

    private Received? TakeData(ReadOnlySpan<byte> chunk)
    {
        if (!chunk.IsEmpty)
        {
            _message ??= ArrayPool<byte>.Shared.Rent(maxMessageBytes);
            chunk.CopyTo(_message.AsSpan(_length));
            _length += chunk.Length;
        }

        var isWhole = _remaining == 0 && _final;
        if (!Validate(isWhole))
        {
            return new Received(ReceivedKind.Violation, default, CloseReason.InvalidUtf8);
        }

        if (_remaining == 0)
        {
            _opcode = null;
        }

        if (!isWhole)
        {
            return null;
        }

        var text = _message.AsMemory(0, _length);
        _length = _validated = _fragments = 0;
        return new Received(ReceivedKind.Text, text);
    }

    // Fails at the first byte that cannot be part of valid UTF-8.
    private bool Validate(bool isWhole)
    {
        while (_validated < _length)
        {
            var rest = _message.AsSpan(_validated, _length - _validated);
            switch (Rune.DecodeFromUtf8(rest, out _, out var consumed))
            {
                case OperationStatus.Done:
                    _validated += consumed;
                    break;
                case OperationStatus.NeedMoreData:
                    return !isWhole;
                default:
                    return false;
            }
        }

        return true;
    }

    private Received? TakeControl(Opcode opcode, ReadOnlySpan<byte> chunk)
    {
        if (!chunk.IsEmpty)
        {
            _control ??= new byte[MaxControl];
            chunk.CopyTo(_control.AsSpan(_controlLength));
            _controlLength += chunk.Length;
        }

        if (_remaining > 0)
        {
            return null;
        }

        var data = _control.AsMemory(0, _controlLength);
        _controlLength = 0;
        _opcode = null;
        return opcode switch
        {
            Opcode.Ping => new Received(ReceivedKind.Ping, data),
            Opcode.Pong => new Received(ReceivedKind.Pong),
            _ => Close(data.Span),
        };
    }

    private static Received Close(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
        {
            return new Received(ReceivedKind.Close, default, CloseReason.NoStatus);
        }

        if (data.Length == 1 || !CloseReason.IsValid(BinaryPrimitives.ReadUInt16BigEndian(data)))
        {
            return new Received(ReceivedKind.Violation, default, CloseReason.ProtocolError);
        }

        return Utf8.IsValid(data[2..])
            ? new Received(ReceivedKind.Close, default, CloseReason.Echo(BinaryPrimitives.ReadUInt16BigEndian(data)))
            : new Received(ReceivedKind.Violation, default, CloseReason.InvalidUtf8);
    }

    private async ValueTask<bool> FillAsync()
    {
        if (_start == _end)
        {
            // Waits without a buffer: most sockets are idle most of the time.
            ReturnInput();
#pragma warning disable CA2022 // A zero-byte read: it returns when there is data to read.
            await stream.ReadAsync(Memory<byte>.Empty);
#pragma warning restore CA2022
            _input = ArrayPool<byte>.Shared.Rent(InputSize);
        }
        else if (_input!.Length - _start < MaxHeader || _end == _input.Length)
        {
            _input.AsSpan(_start, _end - _start).CopyTo(_input);
            _end -= _start;
            _start = 0;
        }

        var count = await stream.ReadAsync(_input.AsMemory(_end));
        _end += count;
        return count > 0;
    }

    private void ReturnInput()
    {
        if (_input is { } input)
        {
            _input = null;
            ArrayPool<byte>.Shared.Return(input);
        }

        _start = _end = 0;
    }

    private void ReturnMessage()
    {
        if (_message is { } message)
        {
            _message = null;
            ArrayPool<byte>.Shared.Return(message);
        }
    }
}
