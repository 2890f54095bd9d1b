using StatusUpdates.Tests.EndToEnd;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "WebSocket": what closes a connection, with which code, and that no other connection is affected.</summary>
public sealed class MalformedWebSocketConformanceTests(RunningSystem system)
{
    private const int Text = 0x81;
    private const int FirstText = 0x01;
    private const int Last = 0x80;

    private readonly ConformanceTarget _target = new(system);

    /// <summary>The bytes sent and the close code of the answer; 0 is a close frame without a code.</summary>
    private static readonly Dictionary<string, (int Code, byte[] Bytes)> Cases = new()
    {
        ["a close"] = (1000, RawSocket.Frame(0x88, [0x03, 0xE8])),
        ["a close with a reason"] = (1000, RawSocket.Frame(0x88, [0x03, 0xE8, .. "bye €"u8])),
        ["an application close code"] = (4000, RawSocket.Frame(0x88, [0x0F, 0xA0])),
        ["a close without a code"] = (0, RawSocket.Frame(0x88, [])),
        ["no mask"] = (1002, [0x81, 0x02, (byte)'{', (byte)'}']),
        ["a reserved bit"] = (1002, RawSocket.Frame(0xC1, "{}"u8)),
        ["a reserved opcode"] = (1002, RawSocket.Frame(0x83, "{}"u8)),
        ["a reserved control opcode"] = (1002, RawSocket.Frame(0x8B, [])),
        ["a control frame in fragments"] = (1002, RawSocket.Frame(0x09, [])),
        ["a control frame of 126 bytes"] = (1002, RawSocket.Frame(0x89, new byte[126])),
        ["a continuation without a message"] = (1002, RawSocket.Frame(Last, "{}"u8)),
        ["a message within another"] = (1002, [.. RawSocket.Frame(FirstText, "{"u8), .. RawSocket.Frame(Text, "{}"u8)]),
        ["half a close code"] = (1002, RawSocket.Frame(0x88, [3])),
        ["close code 1005"] = (1002, RawSocket.Frame(0x88, [0x03, 0xED])),
        ["close code 1006"] = (1002, RawSocket.Frame(0x88, [0x03, 0xEE])),
        ["close code 999"] = (1002, RawSocket.Frame(0x88, [0x03, 0xE7])),
        ["close code 5000"] = (1002, RawSocket.Frame(0x88, [0x13, 0x88])),
        ["a binary message"] = (1003, RawSocket.Frame(0x82, "{}"u8)),
        ["a binary fragment"] = (1003, RawSocket.Frame(0x02, "{"u8)),
        ["text that is not UTF-8"] = (1007, RawSocket.Frame(Text, [0x22, 0xFF, 0x22])),
        ["an overlong encoding"] = (1007, RawSocket.Frame(Text, [0xC0, 0xAF])),
        ["a surrogate"] = (1007, RawSocket.Frame(Text, [0xED, 0xA0, 0x80])),
        ["a code point above U+10FFFF"] = (1007, RawSocket.Frame(Text, [0xF4, 0x90, 0x80, 0x80])),
        ["a character cut off by the end"] = (1007, RawSocket.Frame(Text, [0x22, 0xE2, 0x82])),
        ["a character cut off by the end of fragments"] = (1007, [.. RawSocket.Frame(FirstText, [0xE2]), .. RawSocket.Frame(Last, [0x82])]),
        ["a close reason that is not UTF-8"] = (1007, RawSocket.Frame(0x88, [0x03, 0xE8, 0xFF])),
        ["4097 bytes"] = (1009, RawSocket.Frame(Text, new byte[4097])),
        ["300,000 bytes"] = (1009, RawSocket.Frame(Text, new byte[300_000])),
        ["fragments of 4097 bytes together"] = (1009, [.. RawSocket.Frame(FirstText, Spaces(4000)), .. RawSocket.Frame(0, Spaces(96)), .. RawSocket.Frame(Last, Spaces(1))]),
        ["a declared length of 2^63 - 1 bytes"] = (1009, [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4]),
        ["a flood of pings"] = (4429, [.. Enumerable.Repeat(RawSocket.Text("""{"type":"ping"}"""), 60).SelectMany(bytes => bytes)]),
        ["a flood of ping frames"] = (4429, [.. Enumerable.Repeat(RawSocket.Frame(0x89, "x"u8), 60).SelectMany(bytes => bytes)]),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    [Requirement("W12", "W13", "W16", "W17", "W18", "W19", "W20", "W22")]
    public async Task Each_is_closed_with_its_code_and_does_not_affect_other_connections(string name)
    {
        await using var user = await _target.UserAsync();
        await using var bystander = await user.ConnectAsync();
        using var offender = await user.ConnectRawAsync();
        var (code, bytes) = Cases[name];
        await offender.SendAsync(bytes);
        Assert.Equal(code, await offender.CloseCodeAsync());

        await user.SubmitAsync();
        Assert.Equal(bystander.Start + 1, await bystander.NextSeqAsync());
    }

    [Fact]
    [Requirement("W21")]
    public async Task A_valid_token_of_another_user_ends_the_connection()
    {
        var users = await _target.UsersAsync(2);
        await using var user = users[0];
        await using var other = users[1];
        await using var socket = await user.ConnectAsync();
        await using var bystander = await user.ConnectAsync();
        await socket.SendAsync($$"""{"type":"authenticate","token":"{{other.Token}}"}""");
        Assert.Equal(4403, await socket.CloseCodeAsync());

        await user.SubmitAsync();
        Assert.Equal(bystander.Start + 1, await bystander.NextSeqAsync());
    }

    [Fact]
    [Requirement("W13")]
    public async Task Random_bytes_do_not_affect_other_connections()
    {
        await using var user = await _target.UserAsync();
        await using var bystander = await user.ConnectAsync();
        var random = new Random(11);
        for (var i = 0; i < 50; i++)
        {
            using var offender = await user.ConnectRawAsync();
            var bytes = new byte[random.Next(1, 400)];
            random.NextBytes(bytes);
            await offender.SendAsync(bytes);
        }

        await user.SubmitAsync();
        Assert.Equal(bystander.Start + 1, await bystander.NextSeqAsync());
    }

    private static byte[] Spaces(int count) => [.. Enumerable.Repeat((byte)' ', count)];
}
