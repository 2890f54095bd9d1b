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

    /// <summary>A pong; its data is of no interest.</summary>
    Pong,

    /// <summary>The client closes.</summary>
    Close,

    /// <summary>The client broke a rule; nothing after it can be read.</summary>
    Violation,

    /// <summary>The stream ended without a close.</summary>
    End,
}

/// <summary>What came in.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Data">With text and ping: the data, valid until the next read.</param>
/// <param name="Reason">With close and violation: how to answer.</param>
internal readonly record struct Received(ReceivedKind Kind, ReadOnlyMemory<byte> Data = default, CloseReason? Reason = null);

/// <summary>
/// Reads a client's frames (RFC 6455, section 5) into messages. While nothing comes it holds no buffer; of a message that is on its way
/// it holds at most the message limit. UTF-8 is checked as it comes, also across fragments. One reader at a time.
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
    private int _fragments;
    private bool _inMessage;

    private byte[]? _control;
    private int _controlLength;

    private Opcode _opcode;
    private bool _final;
    private bool _inFrame;
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

    /// <summary>The next thing that comes.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    public async ValueTask<Received> ReadAsync()
    {
        if (!_inMessage)
        {
            ReturnMessage();
        }

        while (true)
        {
            while (_start < _end)
            {
                if (!TryParse(out var received))
                {
                    break;
                }

                if (received is { } complete)
                {
                    return complete;
                }
            }

            if (!await FillAsync())
            {
                return new Received(ReceivedKind.End);
            }
        }
    }

    /// <summary>Takes what still comes, and throws it away, until the client closes its side.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task DrainAsync()
    {
        do
        {
            _start = _end = 0;
        }
        while (await FillAsync());
    }

    /// <summary>Gives the buffers back. Only when no read runs.</summary>
    public void Release()
    {
        ReturnInput();
        ReturnMessage();
    }

    // False: more input is needed. True without a result: go on.
    private bool TryParse(out Received? received)
    {
        received = null;
        if (!_inFrame)
        {
            if (!TryReadHeader(out var violation))
            {
                return false;
            }

            if (violation is not null)
            {
                received = new Received(ReceivedKind.Violation, default, violation);
                return true;
            }
        }

        var count = Math.Min(_remaining, _end - _start);
        var chunk = _input.AsSpan(_start, count);
        Unmask(chunk);
        _start += count;
        _remaining -= count;
        received = _opcode >= Opcode.Close ? TakeControl(chunk) : TakeData(chunk);
        return received is not null || _remaining == 0 || _start < _end;
    }

    private bool TryReadHeader(out CloseReason? violation)
    {
        violation = null;
        var input = _input.AsSpan(_start, _end - _start);
        if (input.Length < 2)
        {
            return false;
        }

        var opcode = (Opcode)(input[0] & 0x0F);
        var final = (input[0] & 0x80) != 0;
        var isControl = opcode >= Opcode.Close;
        var shortLength = input[1] & 0x7F;
        if ((input[0] & 0x70) != 0
            || (input[1] & 0x80) == 0
            || !Enum.IsDefined(opcode)
            || (isControl && (!final || shortLength > MaxControl))
            || (!isControl && opcode == Opcode.Continuation != _inMessage))
        {
            violation = CloseReason.ProtocolError;
            return true;
        }

        if (opcode == Opcode.Binary)
        {
            violation = CloseReason.Binary;
            return true;
        }

        var lengthBytes = shortLength switch { 126 => 2, 127 => 8, _ => 0 };
        if (input.Length < 2 + lengthBytes + sizeof(uint))
        {
            return false;
        }

        var length = lengthBytes switch
        {
            0 => (ulong)shortLength,
            2 => BinaryPrimitives.ReadUInt16BigEndian(input[2..]),
            _ => BinaryPrimitives.ReadUInt64BigEndian(input[2..]),
        };
        if ((lengthBytes == 2 && length < 126) || (lengthBytes == 8 && length is <= ushort.MaxValue or > long.MaxValue))
        {
            violation = CloseReason.ProtocolError;
            return true;
        }

        // Judged by the header: the rest need not be read for it. The number of fragments is bounded as well, as empty ones are free.
        if (!isControl && (length > (ulong)(maxMessageBytes - _length) || ++_fragments > maxMessageBytes))
        {
            violation = CloseReason.TooBig;
            return true;
        }

        _opcode = opcode;
        _final = final;
        _remaining = (int)length;
        _mask = BinaryPrimitives.ReadUInt32LittleEndian(input[(2 + lengthBytes)..]);
        _inFrame = true;
        _start += 2 + lengthBytes + sizeof(uint);
        if (!isControl)
        {
            _inMessage = true;
        }

        return true;
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

        _inFrame = _remaining > 0;
        if (!isWhole)
        {
            return null;
        }

        var text = _message.AsMemory(0, _length);
        _inMessage = false;
        _length = _validated = _fragments = 0;
        return new Received(ReceivedKind.Text, text);
    }

    // Fails at the first byte that no continuation could make valid.
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

    private Received? TakeControl(ReadOnlySpan<byte> chunk)
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
        _inFrame = false;
        return _opcode switch
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
#pragma warning disable CA2022 // Nothing is read here: it returns when there is something to read.
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
