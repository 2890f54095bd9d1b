using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics;
using System.Net.Sockets;

namespace StatusUpdates.Benchmarks.Load;

/// <summary>
/// A client that checks every received update: each must directly follow the previous one. Parses frame headers and, of an update, only its
/// <c>seq</c>; answers pings.
/// </summary>
internal sealed class Follower(Socket socket, LoadUser user, Followers all, int bufferSize)
{
    private const byte Text = 0x81;
    private const byte Ping = 0x89;
    private const int MaxShortLength = 125;
    private const int MaxHeader = 10;

    // A masked pong without data; a mask of zeros is allowed (RFC 6455, section 5.3).
    private static readonly byte[] Pong = [0x8A, 0x80, 0, 0, 0, 0];

    private readonly byte[] _buffer = new byte[bufferSize];
    private readonly long _start = user.Head;
    private long _position = user.Head;
    private long _target = user.Head;
    private long _bytes;
    private int _pings;

    public LoadUser User => user;

    /// <summary>Position of the latest received update.</summary>
    public long Position => Volatile.Read(ref _position);

    public long Updates => Position - _start;

    /// <summary>Bytes of updates, including frame headers.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Records the time of each receipt; null unless receipts are timed.</summary>
    public ReceiptTimes? Receipts { get; init; }

    private static ReadOnlySpan<byte> UpdateStart => "{\"type\":\"status_update\""u8;

    private static ReadOnlySpan<byte> SeqMember => "\"seq\":"u8;

    /// <summary>Counts down in <see cref="Followers"/> once this many more updates are received. No update may be in flight.</summary>
    public void Expect(int updates) => Volatile.Write(ref _target, _position + updates);

    /// <summary>Receives until the socket is closed from this side.</summary>
    /// <exception cref="BenchmarkFailedException">An update is missing or repeated, or the server closed the connection.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var filled = 0;
        while (true)
        {
            var read = await socket.ReceiveAsync(_buffer.AsMemory(filled), cancellationToken);
            if (read == 0)
            {
                throw new BenchmarkFailedException($"The server closed a socket of {user.Id} after update {Position}.");
            }

            filled += read;
            var used = Parse(_buffer.AsSpan(0, filled), Receipts is null ? 0 : Stopwatch.GetTimestamp());
            _buffer.AsSpan(used, filled - used).CopyTo(_buffer);
            filled -= used;
            for (; _pings > 0; _pings--)
            {
                await socket.SendAsync(Pong, cancellationToken);
            }
        }
    }

    // Returns the number of bytes in complete frames.
    private int Parse(ReadOnlySpan<byte> bytes, long now)
    {
        var at = 0;
        while (TryReadHeader(bytes[at..], out var header, out var length))
        {
            if (header + length > _buffer.Length)
            {
                throw new BenchmarkFailedException($"A frame of {length} bytes is too large for this client.");
            }

            if (bytes.Length - at < header + length)
            {
                break;
            }

            Process(bytes[at], bytes.Slice(at + header, length), header + length, now);
            at += header + length;
        }

        return at;
    }

    private static bool TryReadHeader(ReadOnlySpan<byte> bytes, out int header, out int length)
    {
        header = length = 0;
        if (bytes.Length < 2)
        {
            return false;
        }

        (header, length) = bytes[1] switch
        {
            <= MaxShortLength => (2, bytes[1]),
            126 when bytes.Length >= 4 => (4, BinaryPrimitives.ReadUInt16BigEndian(bytes[2..])),
            127 when bytes.Length >= MaxHeader => (MaxHeader, checked((int)BinaryPrimitives.ReadUInt64BigEndian(bytes[2..]))),
            _ => (0, 0),
        };
        return header > 0;
    }

    private void Process(byte first, ReadOnlySpan<byte> payload, int size, long now)
    {
        switch (first)
        {
            case Text when payload.StartsWith(UpdateStart):
                ProcessUpdate(payload, size, now);
                break;
            case Ping:
                _pings++;
                break;
            default:
                throw new BenchmarkFailedException(
                    $"A socket of {user.Id} received, after update {Position}: {System.Text.Encoding.UTF8.GetString(payload)}");
        }
    }

    private void ProcessUpdate(ReadOnlySpan<byte> payload, int size, long now)
    {
        var member = payload.IndexOf(SeqMember);
        if (member < 0 || !Utf8Parser.TryParse(payload[(member + SeqMember.Length)..], out long seq, out _) || seq != _position + 1)
        {
            throw new BenchmarkFailedException(
                $"A socket of {user.Id} received, instead of update {_position + 1}: {System.Text.Encoding.UTF8.GetString(payload)}");
        }

        Volatile.Write(ref _position, seq);
        Volatile.Write(ref _bytes, _bytes + size);
        Receipts?.RecordReceived(seq, now);
        if (seq == Volatile.Read(ref _target))
        {
            all.CountDown();
        }
    }
}
