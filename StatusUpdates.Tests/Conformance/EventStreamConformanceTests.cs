using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "Server-sent events". <see cref="EventClient"/> checks what every event must have (an id, one line of data).</summary>
public sealed class EventStreamConformanceTests(RunningSystem system)
{
    // Fifteen seconds, plus an allowance for slow machines.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(45);

    private readonly ConformanceTarget _target = new(system);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    [Requirement("S1", "S2", "S3", "S7")]
    public async Task A_stream_starts_with_connected_and_a_retry_and_sends_updates_with_their_cursor_as_id()
    {
        await using var user = await _target.UserAsync();
        using var response = await EventClient.SendAsync(user.Http, ConformanceUser.Stream);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        Assert.True(response.Headers.CacheControl?.NoStore);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
        var connected = await EventAsync(reader);
        Assert.True(int.Parse(connected["retry"], CultureInfo.InvariantCulture) > 0);
        Assert.Equal("connected", connected["event"]);
        var data = JsonNode.Parse(connected["data"])!.AsObject();
        Assert.Equal(["userId", "seq", "cursor"], data.Select(member => member.Key));
        Assert.Equal((user.UserId, connected["id"]), ((string?)data["userId"], (string?)data["cursor"]));

        var submitted = await user.SubmitAsync();
        var update = await EventAsync(reader);
        Assert.Equal("status_update", update["event"]);
        Assert.Equal((string?)submitted["cursor"], update["id"]);
        Assert.Equal((string?)submitted["id"], (string?)JsonNode.Parse(update["data"])!["generationId"]);
    }

    [Fact]
    [Requirement("S4", "S5")]
    public async Task After_a_resync_the_stream_resumes_from_the_last_id()
    {
        await using var user = await _target.UserAsync();
        await user.RunAsync(1);
        var head = await user.HeadAsync();
        string id;
        await using (var ahead = await user.StreamAsync(lastEventId: $"{head + 100}"))
        {
            Assert.Equal(head, await ahead.NextResyncAsync());
            id = ahead.LastEventId;
        }

        await user.SubmitAsync();
        await using var again = await user.StreamAsync(lastEventId: id);
        Assert.Equal(head + 1, await again.NextSeqAsync());
    }

    [Fact]
    [Requirement("S5")]
    public async Task A_stream_cut_before_the_first_and_after_every_event_still_gets_the_whole_log()
    {
        await using var user = await _target.UserAsync();
        string id;
        await using (var first = await user.StreamAsync())
        {
            id = first.LastEventId;
        }

        var (_, updates, _) = await user.RunAsync(2);
        foreach (var expected in updates)
        {
            await using var stream = await user.StreamAsync(lastEventId: id);
            ConformanceTransport.AssertSame([expected], [await stream.NextUpdateAsync()]);
            id = stream.LastEventId;
        }
    }

    [Fact]
    [Requirement("S6")]
    public async Task The_header_wins_over_lastEventId_which_wins_over_since_and_a_bad_value_is_named()
    {
        await using var user = await _target.UserAsync();
        var (since, updates, _) = await user.RunAsync(1);
        await using var stream = await user.StreamAsync($"?since={since}", lastEventId: $"{since + 1}");
        ConformanceTransport.AssertSame([updates[1]], [await stream.NextUpdateAsync()]);
        await using var byQuery = await user.StreamAsync($"?since={since}&lastEventId={since + 1}");
        ConformanceTransport.AssertSame([updates[1]], [await byQuery.NextUpdateAsync()]);
        await using var byBoth = await user.StreamAsync($"?lastEventId={since}", lastEventId: $"{since + 1}");
        ConformanceTransport.AssertSame([updates[1]], [await byBoth.NextUpdateAsync()]);
        foreach (var bad in new[] { "x", "-1", "9007199254740992" })
        {
            using var response = await EventClient.SendAsync(user.Http, $"{ConformanceUser.Stream}?since={since}", bad);
            var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
            Assert.Equal(["Last-Event-ID"], problem["errors"]!.AsObject().Select(error => error.Key));
            using var ofQuery = await EventClient.SendAsync(user.Http, $"{ConformanceUser.Stream}?since={since}&lastEventId={bad}");
            problem = await ofQuery.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
            Assert.Equal(["lastEventId"], problem["errors"]!.AsObject().Select(error => error.Key));
        }
    }

    [Fact]
    [Requirement("S7")]
    public async Task Streams_get_different_retry_times()
    {
        await using var user = await _target.UserAsync();
        var times = new HashSet<TimeSpan>();
        for (var i = 0; i < 10; i++)
        {
            await using var stream = await user.StreamAsync();
            times.Add(stream.Retry);
        }

        Assert.InRange(times.Count, 2, 10);
    }

    [Fact]
    [Requirement("S8")]
    public async Task Within_fifteen_seconds_an_idle_stream_gets_a_comment_and_a_filtered_one_its_position()
    {
        await using var user = await _target.UserAsync();
        var (_, _, ids) = await user.RunAsync(1);
        using var response = await EventClient.SendAsync(user.Http, ConformanceUser.Stream);
        using var filtered = await EventClient.SendAsync(user.Http, $"{ConformanceUser.Stream}?generationId={ids[0]}");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
        using var filteredReader = new StreamReader(await filtered.Content.ReadAsStreamAsync(Token));
        Assert.Equal("connected", (await EventAsync(reader))["event"]);
        Assert.Equal("connected", (await EventAsync(filteredReader))["event"]);
        Assert.StartsWith(":", await reader.ReadLineAsync(Token).AsTask().WaitAsync(Patience, Token), StringComparison.Ordinal);

        // One more update, which the filter skips. Whatever positions came before, this one must follow.
        var skipped = (long)(await user.SubmitAsync())["seq"]!;
        Dictionary<string, string> position;
        do
        {
            position = await EventAsync(filteredReader).WaitAsync(Patience, Token);
            Assert.Equal("position", position["event"]);
            var data = JsonNode.Parse(position["data"])!;
            Assert.Equal(position["id"], (string?)data["cursor"]);
            Assert.Equal(ConformanceTransport.SeqOf(position["id"]), (long)data["seq"]!);
        }
        while (ConformanceTransport.SeqOf(position["id"]) < skipped);
    }

    [Fact]
    [Requirement("S10")]
    public async Task The_id_is_the_last_line_of_every_event()
    {
        await using var user = await _target.UserAsync();
        var (since, updates, ids) = await user.RunAsync(1);

        // The raw text of a whole stream: connected and each update. Then a resync.
        var whole = await user.Http.GetStringAsync($"{ConformanceUser.Generations}/{ids[0]}/stream", Token);
        var events = whole.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(updates.Count + 1, events.Length);
        Assert.All(events, text => Assert.Matches("\ndata: .+\nid: [0-9]+(-[0-9a-f]{8})?$", text));
        using var ahead = await EventClient.SendAsync(user.Http, ConformanceUser.Stream, $"{since + 1000}");
        using var reader = new StreamReader(await ahead.Content.ReadAsStreamAsync(Token));
        await EventAsync(reader);
        Assert.Equal(["event", "data", "id"], (await EventAsync(reader)).Keys);
    }

    // The fields of one event, in order; comments have no fields. An id is always last: S10.
    private static async Task<Dictionary<string, string>> EventAsync(StreamReader reader)
    {
        var fields = new Dictionary<string, string>();
        while (true)
        {
            var line = await reader.ReadLineAsync(Token) ?? throw new IOException("The stream ended.");
            if (line.Length == 0 && fields.Count > 0)
            {
                Assert.True(!fields.ContainsKey("id") || fields.Keys.Last() == "id", string.Join(' ', fields.Keys));
                return fields;
            }

            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0)
            {
                Assert.True(fields.TryAdd(line[..colon], line[(colon + 1)..].TrimStart(' ')), line);
            }
        }
    }
}
