using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

public sealed class EventStreamTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private readonly string _alice = SharedApi.NewUser("alice");

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_stream_begins_at_the_head_and_gets_every_update_with_its_cursor_as_id()
    {
        var api = await shared.ApiAsync();
        await api.PublishAsync(_alice);
        await using var client = await EventClient.ConnectAsync(api, _alice);
        Assert.Equal(1, client.Start);
        Assert.InRange(client.Retry, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3));
        Assert.Equal("no-store, no-transform", client.Response.Headers.CacheControl?.ToString());
        Assert.Equal(["no"], client.Response.Headers.GetValues("X-Accel-Buffering"));

        await api.PublishAsync(SharedApi.NewUser("bob"));
        var update = await api.PublishAsync(_alice);
        var payload = await client.NextUpdateAsync();
        Assert.Equal(
            JsonNode.Parse(StatusJson.Encode(update with { TraceParent = null, After = null }))!.ToJsonString(),
            payload.ToJsonString());
        Assert.Equal(update.Cursor, client.LastEventId);
    }

    [Fact]
    public async Task The_header_takes_precedence_over_lastEventId_in_the_query_and_that_over_since_and_later_updates_are_replayed()
    {
        var api = await shared.ApiAsync();
        for (var i = 0; i < 5; i++)
        {
            await api.CommitAsync(_alice);
        }

        await using var bySince = await EventClient.ConnectAsync(api, _alice, EventClient.All + "?since=3");
        Assert.Equal((3, 4, 5), (bySince.Start, await bySince.NextSeqAsync(), await bySince.NextSeqAsync()));
        await using var byId = await EventClient.ConnectAsync(api, _alice, EventClient.All + "?since=1", lastEventId: "4");
        Assert.Equal((4, 5), (byId.Start, await byId.NextSeqAsync()));

        // This is how event-source-polyfill resumes: with the original address and the id appended.
        await using var byQuery = await EventClient.ConnectAsync(api, _alice, EventClient.All + "?since=1&lastEventId=3");
        Assert.Equal((3, 4), (byQuery.Start, await byQuery.NextSeqAsync()));
        await using var byBoth = await EventClient.ConnectAsync(api, _alice, EventClient.All + "?since=1&lastEventId=3", lastEventId: "4");
        Assert.Equal((4, 5), (byBoth.Start, await byBoth.NextSeqAsync()));
    }

    [Theory]
    [InlineData("?since=9", null)]
    [InlineData("?lastEventId=9", null)]
    [InlineData("", "9")]
    public async Task A_position_that_the_log_does_not_have_gets_a_resync_and_continues_without_a_loop(string query, string? lastEventId)
    {
        var api = await shared.ApiAsync();
        var head = await api.PublishAsync(_alice);
        await using (var client = await EventClient.ConnectAsync(api, _alice, EventClient.All + query, lastEventId))
        {
            Assert.Equal(1, await client.NextResyncAsync());
            Assert.Equal(head.Cursor, client.LastEventId);
        }

        // A stream that is cut right after the resync resumes from there.
        await api.PublishAsync(_alice);
        await using var again = await EventClient.ConnectAsync(api, _alice, lastEventId: head.Cursor);
        Assert.Equal(2, await again.NextSeqAsync());
    }

    [Fact]
    public async Task A_position_that_retention_has_passed_gets_a_resync()
    {
        var api = await shared.ApiAsync();
        await api.CommitAsync(_alice);
        await api.CommitAsync(_alice);
        await api.TrimAsync(_alice, oldest: 3);
        await using var client = await EventClient.ConnectAsync(api, _alice, lastEventId: "1");
        Assert.Equal(2, await client.NextResyncAsync());
        await api.PublishAsync(_alice);
        Assert.Equal(3, await client.NextSeqAsync());
    }

    [Fact]
    public async Task A_stream_that_is_cut_before_its_first_update_resumes_from_its_start()
    {
        var api = await shared.ApiAsync();
        await api.PublishAsync(_alice);
        string id;
        await using (var client = await EventClient.ConnectAsync(api, _alice))
        {
            id = client.LastEventId;
        }

        await api.PublishAsync(_alice);
        await using var again = await EventClient.ConnectAsync(api, _alice, lastEventId: id);
        Assert.Equal(2, await again.NextSeqAsync());
    }

    [Fact]
    public async Task A_heartbeat_is_a_comment_and_on_a_filtered_stream_an_event_with_the_position()
    {
        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["Gateway:Connections:HeartbeatInterval"] = "00:00:01" });
        var mine = await api.PublishAsync(_alice);
        using var response = await EventClient.SendAsync(api, TestTokens.Create(_alice), $"{EventClient.All}?generationId={mine.GenerationId}");
        using var filtered = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
        using var plainResponse = await EventClient.SendAsync(api, TestTokens.Create(_alice), EventClient.All);
        using var plain = new StreamReader(await plainResponse.Content.ReadAsStreamAsync(Token));
        var other = await api.PublishAsync(_alice);

        await UntilAsync(
            filtered,
            ["event: position", $$"""data: {"seq":2,"cursor":"{{other.Cursor}}"}""", $"id: {other.Cursor}", ""],
            not: "event: status_update");
        await UntilAsync(plain, [":", ""], not: "nothing");
    }

    [Fact]
    public async Task A_stream_ends_when_its_token_expires_and_when_the_instance_drains()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));
        await using var expiring = await EventClient.ConnectAsync(
            api, _alice, token: TestTokens.Create(_alice, p => p["exp"] = time.GetUtcNow().AddSeconds(30).ToUnixTimeSeconds()));
        await using var other = await EventClient.ConnectAsync(api, _alice);
        var end = expiring.EndsAsync();
        Sockets.Advance(api, time, TimeSpan.FromSeconds(59));
        Assert.False(end.IsCompleted);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(2));
        Assert.True(await end);

        await Eventually.TrueAsync(() => Sockets.Registry(api).Count == 1);
        var drained = other.EndsAsync();
        await api.App.StopAsync(Token);
        Assert.True(await drained);
    }

    [Fact]
    public async Task A_client_that_disconnects_frees_its_connection_slot()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using (await EventClient.ConnectAsync(api, _alice))
        {
            Assert.Equal(1, Sockets.Registry(api).Count);
        }

        await Eventually.TrueAsync(() => Sockets.Registry(api).Count == 0);
    }

    [Fact]
    public async Task An_update_without_a_seq_is_sent_without_an_id()
    {
        var api = await shared.ApiAsync();
        var head = await api.PublishAsync(_alice);
        await using var client = await EventClient.ConnectAsync(api, _alice);
        await api.AnnounceAsync(new StatusUpdate
        {
            GenerationId = "gen-foreign",
            UserId = _alice,
            Type = "chat",
            Status = GenerationStatus.Processing,
            Timestamp = 1,
        });
        Assert.Equal("gen-foreign", (string?)(await client.NextUpdateAsync())["generationId"]);
        Assert.Equal(head.Cursor, client.LastEventId);
    }

    [Theory]
    [InlineData("?since=-1", null, "since")]
    [InlineData("?since=x", null, "since")]
    [InlineData("?since=1&since=2", null, "since")]
    [InlineData("?lastEventId=x", null, "lastEventId")]
    [InlineData("?lastEventId=", null, "lastEventId")]
    [InlineData("?lastEventId=x&since=1", "1", "lastEventId")]
    [InlineData("?generationId=", null, "generationId")]
    [InlineData("", "x", "Last-Event-ID")]
    [InlineData("", "", "Last-Event-ID")]
    public async Task A_bad_parameter_is_named(string query, string? lastEventId, string name)
    {
        var api = await shared.ApiAsync();
        using var response = await EventClient.SendAsync(api, TestTokens.Create(_alice), EventClient.All + query, lastEventId);
        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal([name], problem["errors"]!.AsObject().Select(error => error.Key));
    }

    [Fact]
    public async Task Streams_and_sockets_share_the_limits_and_a_token_may_be_in_the_query()
    {
        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["Gateway:Connections:MaxConnectionsPerUser"] = "2" });
        await using var socket = await SocketClient.ConnectAsync(api, _alice);
        await using var stream = await EventClient.ConnectAsync(api, _alice);
        using var third = await EventClient.SendAsync(api, null, $"{EventClient.All}?token={TestTokens.Create(_alice)}");
        await third.ProblemAsync(HttpStatusCode.TooManyRequests, "too_many_connections");
        Assert.NotNull(third.Headers.RetryAfter);
    }

    [Fact]
    public async Task A_peer_that_reads_nothing_is_aborted_after_the_send_timeout()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(
            servers,
            configure: builder =>
            {
                Sockets.With(time)(builder);
                Sockets.SmallBuffers(builder);
            });
        using var slow = await RawSocket.OpenAsync(api, 4096);
        await slow.SendAsync(Encoding.ASCII.GetBytes(
            $"GET {EventClient.All} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TestTokens.Create(_alice)}\r\n\r\n"));
        await Eventually.TrueAsync(() => Sockets.Registry(api).Connections.Any());
        var blocked = await Sockets.OnlyAsync(api);
        await using var healthy = await SocketClient.ConnectAsync(api, _alice);
        await Sockets.BlockAsync(api, _alice, healthy, blocked);

        Sockets.Advance(api, time, TimeSpan.FromSeconds(29));
        Assert.False(blocked.Ended.IsCompleted);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(2));
        await blocked.Ended.WaitAsync(Token);
    }

    private static async Task UntilAsync(StreamReader reader, string[] lines, string not)
    {
        var seen = 0;
        while (seen < lines.Length)
        {
            var line = await reader.ReadLineAsync(Token);
            Assert.NotNull(line);
            Assert.NotEqual(not, line);
            seen = line == lines[seen] ? seen + 1 : line == lines[0] ? 1 : 0;
        }
    }
}
