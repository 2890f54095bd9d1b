using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;

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
    public async Task From_every_cursor_the_following_updates_arrive_in_order_without_a_gap(string transport)
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
    public async Task Existing_updates_and_new_ones_that_arrive_during_the_read_join_without_a_gap(string transport)
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
    public async Task A_client_that_changes_its_transport_after_every_update_gets_the_whole_log()
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
    public async Task Without_a_cursor_a_connection_starts_at_the_head()
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
    public async Task A_cursor_ahead_of_the_head_gets_a_resync_to_the_head_and_continues_from_there(string transport)
    {
        await using var user = await _target.UserAsync();
        var (_, updates, _) = await user.RunAsync(1);
        var head = ConformanceTransport.Seq(updates[^1]);
        Assert.Equal((head, head + 1), await ConformanceTransport.ResyncAsync(transport, user, head + 1));

        // The head has advanced, but this cursor is still far ahead of it.
        var (resync, next) = await ConformanceTransport.ResyncAsync(transport, user, (1L << 53) - 1);
        Assert.InRange(resync, head + 1, next - 1);
        Assert.Equal(resync + 1, next);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    [Requirement("C4")]
    public async Task An_invalid_cursor_is_refused_and_named(string transport)
    {
        await using var user = await _target.UserAsync();
        foreach (var bad in new[] { "since=-1", "since=x", "since=", "since", "since=1.0", "since=1e3", "since=%201", "since=9007199254740992", "since=9223372036854775808", "since=1&since=1", "since=1-", "since=1-9f3ab2c", "since=1-9f3ab2c1f", "since=1-9f3ab2cx", "since=-9f3ab2c1" })
        {
            using var response = await ConformanceTransport.RequestAsync(transport, user.Http, $"?{bad}");
            var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
            Assert.Equal(["since"], problem["errors"]!.AsObject().Select(error => error.Key));
        }
    }

    [Theory]
    [MemberData(nameof(Transports))]
    [Requirement("C3", "C7")]
    public async Task A_cursor_resumes_after_its_own_update_and_gets_a_resync_if_the_log_has_another_there(string transport)
    {
        await using var user = await _target.UserAsync();
        var (_, updates, _) = await user.RunAsync(2);
        Assert.All(updates, update => Assert.Matches($"^{ConformanceTransport.Seq(update)}-[0-9a-f]{{8}}$", (string)update["cursor"]!));
        var cursor = (string)updates[0]["cursor"]!;
        var last = ConformanceTransport.Seq(updates[^1]);

        var read = await ConformanceTransport.ReadAsync(transport, user, cursor, last);
        Assert.Equal(Range(ConformanceTransport.Seq(updates[0]) + 1, last), read.Select(ConformanceTransport.Seq));

        var mismatched = cursor[..^1] + (cursor[^1] == '0' ? '1' : '0');
        Assert.Equal((last, last + 1), await ConformanceTransport.ResyncAsync(transport, user, mismatched));
    }

    [Theory]
    [InlineData(ConformanceTransport.WebSocket)]
    [InlineData(ConformanceTransport.Events)]
    [Requirement("C6")]
    public async Task An_invalid_generation_id_is_refused_and_named(string transport)
    {
        await using var user = await _target.UserAsync();
        foreach (var bad in new[] { "", new string('x', 101), "a%00b" })
        {
            using var response = await ConformanceTransport.RequestAsync(transport, user.Http, $"?generationId={bad}");
            var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
            Assert.Equal(["generationId"], problem["errors"]!.AsObject().Select(error => error.Key));
        }
    }

    [Fact]
    [Requirement("C6")]
    public async Task With_a_filter_only_updates_of_that_generation_arrive_and_never_those_of_another_user()
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

        // After them comes only the position.
        var head = await user.HeadAsync();
        Assert.Equal($$"""{"type":"position","seq":{{head}},"cursor":"{{updates[^1]["cursor"]}}"}""", (await socket.NextAsync()).ToJsonString());
        await spy.SendAsync("""{"type":"ping"}""");
        var received = await spy.NextAsync();
        Assert.True((string?)received["type"] is "pong" or "position", received.ToJsonString());
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
