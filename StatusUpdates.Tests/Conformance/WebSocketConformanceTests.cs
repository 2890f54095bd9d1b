using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "WebSocket": handshake and messages. Invalid input is in <see cref="MalformedWebSocketConformanceTests"/>.</summary>
public sealed class WebSocketConformanceTests(RunningSystem system)
{
    private readonly ConformanceTarget _target = new(system);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    [Requirement("W1")]
    public async Task A_request_that_can_be_refused_is_refused_before_the_upgrade()
    {
        await using var user = await _target.UserAsync();
        using (var plain = await user.Http.GetAsync("/ws/status", Token))
        {
            await plain.ProblemAsync(HttpStatusCode.UpgradeRequired, "upgrade_required");
            Assert.Equal("websocket", plain.Headers.Upgrade.ToString());
        }

        using (var version = await Handshake.ShakeAsync(user.Http, version: "8"))
        {
            await version.ProblemAsync(HttpStatusCode.UpgradeRequired, "upgrade_required");
            Assert.Equal("13", Assert.Single(version.Headers.GetValues("Sec-WebSocket-Version")));
        }

        foreach (var key in new[] { "", "c2hvcnQ=", "no base64 in these 24 ch" })
        {
            using var response = await Handshake.ShakeAsync(user.Http, key: key);
            await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        }

        using (var parameter = await Handshake.ShakeAsync(user.Http, "?batch=yes"))
        {
            var problem = await parameter.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
            Assert.Equal(["batch"], problem["errors"]!.AsObject().Select(error => error.Key));
        }

        using var foreign = await Handshake.ShakeAsync(user.Http, origin: "https://foreign.invalid");
        await foreign.ProblemAsync(HttpStatusCode.Forbidden, "foreign_origin");
    }

    [Fact]
    [Requirement("W2", "W3")]
    public async Task The_first_message_is_connected_and_updates_follow_as_they_happen()
    {
        await using var user = await _target.UserAsync();
        var head = await user.HeadAsync();

        // ConnectAsync fails unless the first message is "connected" with the user's id.
        await using var socket = await user.ConnectAsync();
        Assert.Equal(head, socket.Start);
        var submitted = await user.SubmitAsync();
        var message = await socket.NextAsync();
        Assert.Equal(["type", "payload"], message.Select(member => member.Key));
        Assert.Equal("status_update", (string?)message["type"]);
        Assert.Equal(
            ((string?)submitted["id"], "pending", (long)submitted["seq"]!),
            ((string?)message["payload"]!["generationId"], (string?)message["payload"]!["status"], (long)message["payload"]!["seq"]!));
    }

    [Fact]
    [Requirement("W4")]
    public async Task Updates_that_are_due_together_are_batched_only_on_request_and_within_the_limits()
    {
        await using var user = await _target.UserAsync();
        var since = await user.HeadAsync();
        const int Count = 120;
        for (var i = 0; i < Count; i++)
        {
            var id = (string)(await user.SubmitAsync())["id"]!;
            using var canceled = await user.CancelAsync(id);
        }

        await using var plain = await user.ConnectAsync($"?since={since}&batch=false");
        await plain.SeqsAsync(Count);

        await using var socket = await user.ConnectAsync($"?since={since}&batch=true");
        var next = since + 1;
        var largest = 0;
        while (next <= since + Count)
        {
            var message = await socket.NextAsync();
            if ((string?)message["type"] == "status_update")
            {
                Assert.Equal(next++, (long)message["payload"]!["seq"]!);
                continue;
            }

            Assert.Equal(["type", "payloads"], message.Select(member => member.Key));
            Assert.Equal("status_batch", (string?)message["type"]);
            var payloads = message["payloads"]!.AsArray();
            Assert.InRange(payloads.Count, 2, 256);
            Assert.InRange(Encoding.UTF8.GetByteCount(message.ToJsonString()), 1, 64 * 1024);
            largest = Math.Max(largest, payloads.Count);
            Assert.All(payloads, payload => Assert.Equal(next++, (long)payload!["seq"]!));
        }

        Assert.InRange(largest, 2, 256);
    }

    [Fact]
    [Requirement("W5")]
    public async Task A_filtered_connection_gets_its_position_within_fifteen_seconds_even_without_matching_updates()
    {
        await using var user = await _target.UserAsync();
        var (_, _, ids) = await user.RunAsync(1);
        await using var socket = await user.ConnectAsync($"?generationId={ids[0]}");
        var skipped = (long)(await user.SubmitAsync())["seq"]!;
        JsonObject message;
        do
        {
            message = await socket.NextAsync();
            Assert.Equal(["type", "seq", "cursor"], message.Select(member => member.Key));
            Assert.Equal("position", (string?)message["type"]);
        }
        while ((long)message["seq"]! < skipped);

        // The position is a valid cursor to resume from.
        await using var again = await user.ConnectAsync($"?since={(long)message["seq"]!}&generationId={ids[0]}");
        Assert.Equal((long)message["seq"]!, again.Start);
    }

    [Fact]
    [Requirement("W7", "W10")]
    public async Task A_ping_is_answered_and_unknown_members_are_ignored()
    {
        await using var user = await _target.UserAsync();
        await using var socket = await user.ConnectAsync();
        foreach (var ping in new[] { """{"type":"ping"}""", """ { "note" : {"a":[1,2]}, "type" : "ping" } """, """{"type":"\u0070ing","token":null}""" })
        {
            await socket.SendAsync(ping);
            Assert.Equal("""{"type":"pong"}""", (await socket.NextAsync()).ToJsonString());
        }
    }

    [Fact]
    [Requirement("W8")]
    public async Task A_fresh_token_of_the_same_user_is_accepted_in_place_and_a_bad_one_changes_nothing()
    {
        await using var user = await _target.UserAsync();
        await using var socket = await user.ConnectAsync();
        await socket.SendAsync(Authenticate(await _target.FreshTokenAsync(user)));
        var answer = await socket.NextAsync();
        Assert.Equal(["type", "expiresAt"], answer.Select(member => member.Key));
        Assert.Equal("authenticated", (string?)answer["type"]);
        Assert.True((DateTimeOffset)answer["expiresAt"]! > DateTimeOffset.UnixEpoch);

        foreach (var bad in new[] { "garbage", user.Token + "x", "a.b.c" })
        {
            await socket.SendAsync(Authenticate(bad));
            await AssertErrorAsync(socket, "invalid_token");
        }

        await AssertAliveAsync(socket);
    }

    [Fact]
    [Requirement("W9")]
    public async Task An_invalid_message_is_answered_with_an_error_and_the_connection_stays_open()
    {
        await using var user = await _target.UserAsync();
        await using var socket = await user.ConnectAsync();
        foreach (var (bad, code) in new[]
        {
            ("", "invalid_message"),
            ("hello", "invalid_message"),
            ("[]", "invalid_message"),
            ("\"ping\"", "invalid_message"),
            ("""{"type":"ping"} x""", "invalid_message"),
            ("""{"type":7}""", "invalid_message"),
            ("""{"type":"ping","type":"ping"}""", "invalid_message"),
            ("""{"type":"authenticate"}""", "invalid_message"),
            ("""{"type":"authenticate","token":7}""", "invalid_message"),
            (new string('[', 4096), "invalid_message"),
            ("{\"a\":" + new string('[', 2000) + new string(']', 2000) + "}", "invalid_message"),
            ("{}", "unknown_type"),
            ("""{"type":"subscribe"}""", "unknown_type"),
            ("""{"type":"PING"}""", "unknown_type"),
        })
        {
            await socket.SendAsync(bad);
            await AssertErrorAsync(socket, code);
        }

        await AssertAliveAsync(socket);
    }

    [Fact]
    [Requirement("W10", "W11")]
    public async Task A_message_of_4096_bytes_is_accepted_and_fragments_with_control_frames_between_them_are_too()
    {
        await using var user = await _target.UserAsync();
        await using var whole = await user.ConnectAsync();
        await whole.SendAsync("""{"type":"ping"}""".PadRight(4096));
        Assert.Equal("pong", (string?)(await whole.NextAsync())["type"]);

        using var raw = await user.ConnectRawAsync();
        var message = Encoding.UTF8.GetBytes("""{"type":"ping","note":"€"}""".PadRight(4000));
        await raw.SendAsync(
        [
            .. RawSocket.Frame(0x01, message.AsSpan(0, 24)),
            .. RawSocket.Frame(0x8A, "unsolicited"u8),
            .. RawSocket.Frame(0x00, []),
            .. RawSocket.Frame(0x00, message.AsSpan(24, 1)),
            .. RawSocket.Frame(0x80, message.AsSpan(25)),
        ]);
        Assert.Equal("pong", (string?)(await raw.MessageAsync())["type"]);
    }

    [Fact]
    [Requirement("W15")]
    public async Task A_ping_frame_is_answered_with_its_data()
    {
        await using var user = await _target.UserAsync();
        using var raw = await user.ConnectRawAsync();
        foreach (var data in new[] { "", "hello", new string('x', 125) })
        {
            await raw.SendAsync(RawSocket.Frame(0x89, Encoding.ASCII.GetBytes(data)));
            var (first, answer) = await raw.FrameAsync();
            Assert.Equal((0x8A, data), (first, Encoding.ASCII.GetString(answer)));
        }
    }

    private static string Authenticate(string token) => new JsonObject { ["type"] = "authenticate", ["token"] = token }.ToJsonString();

    private static async Task AssertErrorAsync(SocketClient socket, string code)
    {
        var error = await socket.NextAsync();
        Assert.Equal(["type", "code", "message"], error.Select(member => member.Key));
        Assert.Equal(("error", code), ((string?)error["type"], (string?)error["code"]));
        Assert.NotEmpty((string)error["message"]!);
    }

    private static async Task AssertAliveAsync(SocketClient socket)
    {
        await socket.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (string?)(await socket.NextAsync())["type"]);
    }
}
