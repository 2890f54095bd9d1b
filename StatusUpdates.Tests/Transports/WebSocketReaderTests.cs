using System.Buffers.Binary;
using System.Net.WebSockets;
using System.Text;
using CsCheck;
using StatusUpdates.Api.Transports.WebSockets;

namespace StatusUpdates.Tests.Transports;

/// <summary>The parser of client frames (RFC 6455, section 5), the only one that reads bytes from the network by hand.</summary>
public sealed class WebSocketReaderTests
{
    private const int MaxMessage = 300;

    // Masking bytes that leave some bytes as they are, and change others.
    private static readonly Gen<byte[]> Mask = Gen.Byte.Array[4];

    private static readonly Gen<string> Text = Gen.Char["aé€\uFFFDz0\"\\\n"].Array[0, 80].Select(chars => new string(chars));

    // What a client sends: kind and text, in how many fragments, and after which fragment a ping comes in between (if there is one).
    private static readonly Gen<(ReceivedKind Kind, string Text, int Fragments, int PingAfter)> Event = Gen.Select(
        Gen.OneOfConst(ReceivedKind.Text, ReceivedKind.Text, ReceivedKind.Ping, ReceivedKind.Pong), Text, Gen.Int[1, 5], Gen.Int[0, 8]);

    [Fact]
    public async Task Every_message_is_read_as_it_was_sent_however_it_is_fragmented_masked_and_cut_into_packets() =>
        await Gen.Select(Event.Array[0, 8], Mask, Gen.Int[1, 40]).SampleAsync(async (events, mask, packet) =>
        {
            var (bytes, expected) = Encode(events, mask);

            var received = await ReadAllAsync(bytes, packet);

            Assert.Equal([.. expected, "End"], received);
        });

    [Fact]
    public async Task It_reads_what_the_WebSocket_of_NET_reads() =>
        await Gen.Select(Event.Where(e => e.Kind == ReceivedKind.Text).Array[1, 5], Mask).SampleAsync(async (events, mask) =>
        {
            var (bytes, _) = Encode([.. events.Select(e => e with { PingAfter = e.Fragments })], mask);
            using var reference = WebSocket.CreateFromStream(new Packets(bytes, int.MaxValue), new WebSocketCreationOptions { IsServer = true });
            var expected = new List<string>();
            var buffer = new byte[MaxMessage];
            foreach (var _ in events)
            {
                var length = 0;
                ValueWebSocketReceiveResult result;
                do
                {
                    result = await reference.ReceiveAsync(buffer.AsMemory(length), TestTime.Token);
                    length += result.Count;
                }
                while (!result.EndOfMessage);
                expected.Add($"Text {Encoding.UTF8.GetString(buffer, 0, length)}");
            }

            Assert.Equal([.. expected, "End"], await ReadAllAsync(bytes, int.MaxValue));
        });

    [Fact]
    public async Task Whatever_bytes_come_it_ends_passes_on_only_valid_text_within_the_limit_and_packets_make_no_difference() =>
        await Gen.Select(Event.Array[1, 5], Mask, Gen.Select(Gen.Int[0, 2000], Gen.Byte).Array[0, 6], Gen.Int[1, 40]).SampleAsync(
            async (events, mask, changes, packet) =>
            {
                var (bytes, _) = Encode(events, mask);
                foreach (var (at, value) in changes)
                {
                    bytes[at % bytes.Length] = value;
                }

                var whole = await ReadAllAsync(bytes, int.MaxValue);

                Assert.Contains(whole[^1].Split(' ')[0], (string[])["End", "Close", "Violation"]);
                Assert.All(whole, received => Assert.True(Encoding.UTF8.GetByteCount(received) <= MaxMessage + "Text ".Length));
                Assert.Equal(whole, await ReadAllAsync(bytes, packet));
            });

    [Fact]
    public async Task A_text_that_is_not_UTF_8_is_a_violation_wherever_the_fault_is() =>
        await Gen.Select(Text, Text, Gen.OneOfConst<byte[]>([0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]), Mask, Gen.Int[1, 20])
            .SampleAsync(async (before, after, fault, mask, packet) =>
            {
                // Truncated sequences are faults only where no continuation byte follows.
                byte[] payload = [.. Encoding.UTF8.GetBytes(before), .. fault, .. Encoding.UTF8.GetBytes(after.Length > 0 ? "a" + after : "")];
                using var frames = new MemoryStream();
                Write(frames, 1, isFinal: true, payload, mask);

                Assert.Equal([$"Violation {(int)WebSocketCloseStatus.InvalidPayloadData}"], await ReadAllAsync(frames.ToArray(), packet));
            });

    [Theory]
    [InlineData("unmasked", new byte[] { 0x81, 0x00 }, 1002)]
    [InlineData("a reserved bit", new byte[] { 0xC1, 0x80 }, 1002)]
    [InlineData("an unknown opcode", new byte[] { 0x83, 0x80 }, 1002)]
    [InlineData("a fragmented ping", new byte[] { 0x09, 0x80 }, 1002)]
    [InlineData("a ping that is too long", new byte[] { 0x89, 0xFE }, 1002)]
    [InlineData("a continuation of nothing", new byte[] { 0x80, 0x80 }, 1002)]
    [InlineData("a length in more bytes than it needs", new byte[] { 0x81, 0xFE, 0, 5, 0, 0, 0, 0 }, 1002)]
    [InlineData("a negative length", new byte[] { 0x81, 0xFF, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0 }, 1002)]
    [InlineData("binary", new byte[] { 0x82, 0x80 }, 1003)]
    [InlineData("more than the limit", new byte[] { 0x81, 0xFE, 1, 45, 0, 0, 0, 0 }, 1009)]
    [InlineData("a close with half a code", new byte[] { 0x88, 0x81, 0, 0, 0, 0, 3 }, 1002)]
    [InlineData("a close with a code that nobody may send", new byte[] { 0x88, 0x82, 0, 0, 0, 0, 3, 0xED }, 1002)]
    public async Task What_the_protocol_forbids_is_a_violation_with_the_right_code(string what, byte[] bytes, int code)
    {
        Assert.NotEmpty(what);
        Assert.Equal([$"Violation {code}"], await ReadAllAsync(bytes, 1));
    }

    private static (byte[] Bytes, List<string> Expected) Encode((ReceivedKind Kind, string Text, int Fragments, int PingAfter)[] events, byte[] mask)
    {
        using var bytes = new MemoryStream();
        var expected = new List<string>();
        foreach (var (kind, text, fragments, pingAfter) in events)
        {
            var payload = Encoding.UTF8.GetBytes(text);
            if (kind != ReceivedKind.Text)
            {
                var data = payload.AsSpan(0, Math.Min(payload.Length, 125));
                Write(bytes, kind == ReceivedKind.Ping ? 9 : 10, isFinal: true, data, mask);
                expected.Add(kind == ReceivedKind.Ping ? $"Ping {Convert.ToHexString(data)}" : "Pong");
                continue;
            }

            var size = Math.Max(1, (payload.Length + fragments - 1) / fragments);
            for (var i = 0; i < fragments; i++)
            {
                var from = Math.Min(i * size, payload.Length);
                var to = i == fragments - 1 ? payload.Length : Math.Min(from + size, payload.Length);
                Write(bytes, i == 0 ? 1 : 0, isFinal: i == fragments - 1, payload.AsSpan(from, to - from), mask);
                if (i == pingAfter && i < fragments - 1)
                {
                    Write(bytes, 9, isFinal: true, "between"u8, mask);
                    expected.Add($"Ping {Convert.ToHexString("between"u8)}");
                }
            }

            expected.Add($"Text {text}");
        }

        return (bytes.ToArray(), expected);
    }

    private static void Write(MemoryStream to, int opcode, bool isFinal, ReadOnlySpan<byte> payload, byte[] mask)
    {
        to.WriteByte((byte)((isFinal ? 0x80 : 0) | opcode));
        if (payload.Length < 126)
        {
            to.WriteByte((byte)(0x80 | payload.Length));
        }
        else
        {
            Span<byte> length = stackalloc byte[2];
            BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)payload.Length);
            to.WriteByte((byte)(0x80 | 126));
            to.Write(length);
        }

        to.Write(mask);
        for (var i = 0; i < payload.Length; i++)
        {
            to.WriteByte((byte)(payload[i] ^ mask[i % 4]));
        }
    }

    private static async Task<List<string>> ReadAllAsync(byte[] bytes, int packet)
    {
        // The reader unmasks in place, in a buffer of its own.
        var reader = new WebSocketReader(new Packets(bytes, packet), MaxMessage);
        var all = new List<string>();
        while (true)
        {
            var received = await reader.ReadAsync();
            all.Add(received.Kind switch
            {
                ReceivedKind.Text => $"Text {Encoding.UTF8.GetString(received.Data.Span)}",
                ReceivedKind.Ping => $"Ping {Convert.ToHexString(received.Data.Span)}",
                ReceivedKind.Violation => $"Violation {received.Reason!.Code}",
                var kind => $"{kind}",
            });
            if (received.Kind is ReceivedKind.Close or ReceivedKind.Violation or ReceivedKind.End)
            {
                reader.Release();
                return all;
            }
        }
    }

    /// <summary>A connection that delivers at most so many bytes at once. Nothing can be sent over it that anyone would see.</summary>
    private sealed class Packets(byte[] bytes, int size) : Stream
    {
        private int _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = Math.Min(Math.Min(size, buffer.Length), bytes.Length - _position);
            bytes.AsMemory(_position, count).CopyTo(buffer);
            _position += count;
            return ValueTask.FromResult(count);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count)
        {
        }
    }
}
