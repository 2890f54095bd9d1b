using System.Text;
using Microsoft.Extensions.Logging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

public sealed class CloseCodeTests(TestServers servers)
{
    private const int Text = 0x81;
    private const int FirstText = 0x01;
    private const int Middle = 0x00;
    private const int Last = 0x80;

    /// <summary>What a client can send that ends the connection, and the code it ends with. 0: a close without a code.</summary>
    private static readonly (string What, int Code, byte[] Bytes)[] Cases =
    [
        ("a binary message", 1003, RawSocket.Frame(0x82, [1, 2, 3])),
        ("text that is not UTF-8", 1007, RawSocket.Frame(Text, [0x22, 0xFF, 0x22])),
        ("an overlong form", 1007, RawSocket.Frame(Text, [0xC0, 0xAF])),
        ("a surrogate in UTF-8", 1007, RawSocket.Frame(Text, [0xED, 0xA0, 0x80])),
        ("a character cut off at the end", 1007, RawSocket.Frame(Text, [0x22, 0xE2, 0x82])),
        ("a character cut off at the end of fragments", 1007, [.. RawSocket.Frame(FirstText, [0xE2]), .. RawSocket.Frame(Last, [0x82])]),
        ("bad UTF-8 in a fragment, before the last", 1007, RawSocket.Frame(FirstText, [0xF4, 0x90, 0x80, 0x80])),
        ("a message over the limit", 1009, RawSocket.Frame(Text, new byte[4097])),
        ("a message far over the limit", 1009, RawSocket.Frame(Text, new byte[300_000])),
        ("fragments over the limit together", 1009, [.. RawSocket.Frame(FirstText, Spaces(3000)), .. RawSocket.Frame(Last, Spaces(1097))]),
        ("a header with a length over the limit", 1009, [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4]),
        ("a frame without a mask", 1002, [0x81, 0x02, (byte)'h', (byte)'i']),
        ("a reserved bit", 1002, RawSocket.Frame(0xC1, Spaces(2))),
        ("a reserved opcode", 1002, RawSocket.Frame(0x83, Spaces(2))),
        ("a reserved control opcode", 1002, RawSocket.Frame(0x8B, [])),
        ("a control frame in fragments", 1002, RawSocket.Frame(0x09, [])),
        ("a control frame that is too long", 1002, RawSocket.Frame(0x89, new byte[126])),
        ("a continuation without a message", 1002, RawSocket.Frame(Last, Spaces(2))),
        ("a message within a message", 1002, [.. RawSocket.Frame(FirstText, Spaces(2)), .. RawSocket.Frame(Text, Spaces(2))]),
        ("a length that is not in its shortest form", 1002, [0x81, 0xFE, 0x00, 0x02, 0, 0, 0, 0, 0x20, 0x20]),
        ("a length with the highest bit set", 1002, [0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4]),
        ("half a close code", 1002, RawSocket.Frame(0x88, [3])),
        ("a close code that is never sent", 1002, RawSocket.Frame(0x88, [0x03, 0xED])),
        ("a close reason that is not UTF-8", 1007, RawSocket.Frame(0x88, [0x03, 0xE8, 0xFF])),
        ("a close", 1000, RawSocket.Frame(0x88, [0x03, 0xE8])),
        ("a close with an application's code", 4000, RawSocket.Frame(0x88, [0x0F, 0xA0, (byte)'x'])),
        ("a close without a code", 0, RawSocket.Frame(0x88, [])),
        ("21 messages in a second", 4429, [.. Enumerable.Repeat(RawSocket.Text("""{"type":"ping"}"""), 21).SelectMany(b => b)]),
        ("21 pings in a second", 4429, [.. Enumerable.Repeat(RawSocket.Frame(0x89, []), 21).SelectMany(b => b)]),
        ("21 unsolicited pongs in a second", 4429, [.. Enumerable.Repeat(RawSocket.Frame(0x8A, []), 21).SelectMany(b => b)]),
    ];

    [Fact]
    public async Task Each_protocol_violation_closes_its_socket_with_its_code_and_affects_no_other_socket()
    {
        using var logs = new CollectedLogs();
        await using var api = await TestApi.StartAsync(servers, configure: builder => builder.Logging.AddProvider(logs));
        await using var bystander = await SocketClient.ConnectAsync(api, "alice");
        foreach (var (what, code, bytes) in Cases)
        {
            using var offender = await RawSocket.ConnectAsync(api, "alice");
            await offender.SendAsync(bytes);
            var actual = await offender.CloseCodeAsync();
            Assert.True(code == actual, $"{what}: {actual}");
        }

        await api.PublishAsync("alice");
        Assert.Equal(1, await bystander.NextSeqAsync());
        Assert.DoesNotContain(logs.Lines, line => line.StartsWith("Error ", StringComparison.Ordinal) || line.StartsWith("Critical ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_protocol_violation_is_also_detected_if_it_comes_byte_by_byte()
    {
        await using var api = await TestApi.StartAsync(servers);
        await Task.WhenAll(Cases.Where(c => c.Bytes.Length < 200).Select(async c =>
        {
            using var offender = await RawSocket.ConnectAsync(api, "alice");
            try
            {
                foreach (var one in c.Bytes)
                {
                    await offender.SendAsync([one]);
                }
            }
            catch (IOException)
            {
                // The server closed the connection before the end.
            }

            var actual = await offender.CloseCodeAsync();
            Assert.True(c.Code == actual, $"{c.What}: {actual}");
        }));
    }

    [Fact]
    public async Task A_fragmented_message_with_a_ping_in_between_is_reassembled()
    {
        await using var api = await TestApi.StartAsync(servers);
        using var client = await RawSocket.ConnectAsync(api, "alice");
        var message = Encoding.UTF8.GetBytes("""{"type":"ping","note":"€"}""");
        await client.SendAsync(
        [
            .. RawSocket.Frame(FirstText, message.AsSpan(0, 24)),
            .. RawSocket.Frame(0x89, "between"u8),
            .. RawSocket.Frame(Middle, []),
            .. RawSocket.Frame(Last, message.AsSpan(24)),
        ]);
        var (first, data) = await client.FrameAsync();
        if (first == 0x81)
        {
            // Both responses may be due at once: messages are sent before control frames.
            Assert.Equal("""{"type":"pong"}""", Encoding.UTF8.GetString(data));
            (first, data) = await client.FrameAsync();
            Assert.Equal((0x8A, "between"), (first, Encoding.UTF8.GetString(data)));
            return;
        }

        Assert.Equal((0x8A, "between"), (first, Encoding.UTF8.GetString(data)));
        Assert.Equal("pong", (string?)(await client.MessageAsync())["type"]);
    }

    [Fact]
    public async Task Random_bytes_affect_no_other_connection()
    {
        using var logs = new CollectedLogs();
        await using var api = await TestApi.StartAsync(
            servers,
            configure: builder => builder.Logging.AddProvider(logs));
        await using var bystander = await SocketClient.ConnectAsync(api, "alice");
        var random = new Random(7);
        for (var i = 0; i < 200; i++)
        {
            using var offender = await RawSocket.ConnectAsync(api, "bob");
            var bytes = new byte[random.Next(1, 400)];
            random.NextBytes(bytes);
            await offender.SendAsync(bytes);
        }

        await api.PublishAsync("alice");
        Assert.Equal(1, await bystander.NextSeqAsync());
        Assert.DoesNotContain(logs.Lines, line => line.StartsWith("Error ", StringComparison.Ordinal));
        await Eventually.TrueAsync(() => Sockets.Registry(api).Count == 1);
    }

    private static byte[] Spaces(int count) => [.. Enumerable.Repeat((byte)' ', count)];
}
