using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "Cursors".</summary>
public sealed class CursorConformanceTests(RunningSystem system)
{
    private readonly ConformanceTarget _target = new(system);

    private static CancellationToken Token => TestTime.Token;

    public static TheoryData<string> Transports => ConformanceTransport.All;

    [Theory]
    [MemberData(nameof(Transports))]
    [Requirement("C1")]
    public async Task From_every_cursor_what_follows_comes_in_order_without_a_gap(string transport)
    {
        await using var user = await _target.UserAsync();
        var (since, updates, _) = await user.RunAsync(2);
        var last = ConformanceTransport.Seq(updates[^1]);
        for (var cursor = since; cursor < last; cursor++)
        {
            var read = await ConformanceTransport.ReadAsync(transport, user, cursor, last);
            Assert.Equal(Range(cursor + 1, last), read.Select(ConformanceTransport.Seq));
        }
    }

    [Theory]
    [MemberData(nameof(Transports))]
    [Requirement("C1")]
    public async Task What_is_there_and_what_comes_while_it_is_read_join_without_a_gap(string transport)
    {
        await using var user = await _target.UserAsync();
        var since = await user.HeadAsync();
        await user.SubmitAsync();
        const int Count = 30;
        var writing = SubmitManyAsync(user, Count);
        var read = await ConformanceTransport.ReadAsync(transport, user, since, since + 1 + Count);
        await writing;
        Assert.Equal(Range(since + 1, since + 1 + Count), read.Select(ConformanceTransport.Seq));
    }

    [Fact]
    [Requirement("C1", "C5")]
    public async Task A_client_that_changes_its_transport_after_every_update_has_the_whole_log()
    {
        await using var user = await _target.UserAsync();
        var (since, updates, _) = await user.RunAsync(3);
        var cursor = since;
        List<JsonNode> mine = [];
        var transports = ConformanceTransport.All.Select(row => row.Data).ToArray();
        for (var i = 0; cursor < ConformanceTransport.Seq(updates[^1]); i++)
        {
            var read = await ConformanceTransport.ReadAsync(transports[i % transports.Length], user, cursor, cursor + 1);
            mine.Add(read[0]);
            cursor = ConformanceTransport.Seq(read[0]);
        }

        ConformanceTransport.AssertSame(updates, mine);
    }

    [Fact]
    [Requirement("C2")]
    public async Task Without_a_cursor_it_begins_at_the_head()
    {
        await using var user = await _target.UserAsync();
        var (_, updates, _) = await user.RunAsync(1);
        var head = ConformanceTransport.Seq(updates[^1]);
        await using var socket = await user.ConnectAsync();
        await using var stream = await user.StreamAsync();
        Assert.Equal((head, head, head), (socket.Start, stream.Start, await user.HeadAsync()));

        await user.SubmitAsync();
        Assert.Equal((head + 1, head + 1), (await socket.NextSeqAsync(), await stream.NextSeqAsync()));
    }

    [Theory]
    [MemberData(nameof(Transports))]
    [Requirement("C3")]
    public async Task A_cursor_ahead_of_the_head_gets_a_resync_to_the_head_and_goes_on(string transport)
    {
        await using var user = await _target.UserAsync();
        var (_, updates, _) = await user.RunAsync(1);
        var head = ConformanceTransport.Seq(updates[^1]);
        Assert.Equal((head, head + 1), await ConformanceTransport.ResyncAsync(transport, user, head + 1));

        // The head has moved on: this one is still ahead of it, by far.
        var (resync, next) = await ConformanceTransport.ResyncAsync(transport, user, (1L << 53) - 1);
        Assert.InRange(resync, head + 1, next - 1);
        Assert.Equal(resync + 1, next);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    [Requirement("C4")]
    public async Task A_cursor_that_is_none_is_refused_by_name(string transport)
    {
        await using var user = await _target.UserAsync();
        foreach (var bad in new[] { "since=-1", "since=x", "since=", "since", "since=1.0", "since=1e3", "since=%201", "since=9007199254740992", "since=9223372036854775808", "since=1&since=1", "since=1-", "since=1-9f3ab2c", "since=1-9f3ab2c1f", "since=1-9f3ab2cx", "since=-9f3ab2c1" })
        {
            using var response = await ConformanceTransport.AskAsync(transport, user.Http, $"?{bad}");
            var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
            Assert.Equal(["since"], problem["errors"]!.AsObject().Select(error => error.Key));
        }
    }

    [Theory]
    [MemberData(nameof(Transports))]
    [Requirement("C3", "C7")]
    public async Task A_cursor_goes_on_where_its_update_stands_and_where_another_one_does_gets_a_resync(string transport)
    {
        await using var user = await _target.UserAsync();
        var (_, updates, _) = await user.RunAsync(2);
        Assert.All(updates, update => Assert.Matches($"^{ConformanceTransport.Seq(update)}-[0-9a-f]{{8}}$", (string)update["cursor"]!));
        var cursor = (string)updates[0]["cursor"]!;
        var last = ConformanceTransport.Seq(updates[^1]);

        var read = await ConformanceTransport.ReadAsync(transport, user, cursor, last);
        Assert.Equal(Range(ConformanceTransport.Seq(updates[0]) + 1, last), read.Select(ConformanceTransport.Seq));

        var ofAnother = cursor[..^1] + (cursor[^1] == '0' ? '1' : '0');
        Assert.Equal((last, last + 1), await ConformanceTransport.ResyncAsync(transport, user, ofAnother));
    }

    [Theory]
    [InlineData(ConformanceTransport.WebSocket)]
    [InlineData(ConformanceTransport.Events)]
    [Requirement("C6")]
    public async Task A_generation_that_is_none_is_refused_by_name(string transport)
    {
        await using var user = await _target.UserAsync();
        foreach (var bad in new[] { "", new string('x', 101), "a%00b" })
        {
            using var response = await ConformanceTransport.AskAsync(transport, user.Http, $"?generationId={bad}");
            var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
            Assert.Equal(["generationId"], problem["errors"]!.AsObject().Select(error => error.Key));
        }
    }

    [Fact]
    [Requirement("C6")]
    public async Task With_a_filter_only_that_generation_comes_and_never_another_users()
    {
        var users = await _target.UsersAsync(2);
        await using var user = users[0];
        await using var other = users[1];
        var (since, updates, ids) = await user.RunAsync(3);
        var expected = updates.Where(update => (string?)update["generationId"] == ids[1]).Select(ConformanceTransport.Seq).ToArray();
        await using var socket = await user.ConnectAsync($"?since={since}&generationId={ids[1]}");
        await using var stream = await user.StreamAsync($"?since={since}&generationId={ids[1]}");
        await using var spy = await other.ConnectAsync($"?since={await other.HeadAsync()}&generationId={ids[1]}");
        Assert.Equal(expected, await socket.SeqsAsync(expected.Length));
        foreach (var seq in expected)
        {
            Assert.Equal(seq, await stream.NextSeqAsync());
        }

        // The position is what comes next, if anything does.
        var head = await user.HeadAsync();
        Assert.Equal($$"""{"type":"position","seq":{{head}},"cursor":"{{updates[^1]["cursor"]}}"}""", (await socket.NextAsync()).ToJsonString());
        await spy.SendAsync("""{"type":"ping"}""");
        var heard = await spy.NextAsync();
        Assert.True((string?)heard["type"] is "pong" or "position", heard.ToJsonString());
    }

    private static async Task SubmitManyAsync(ConformanceUser user, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await user.SubmitAsync();
        }
    }

    private static IEnumerable<long> Range(long first, long last)
    {
        for (var seq = first; seq <= last; seq++)
        {
            yield return seq;
        }
    }
}
