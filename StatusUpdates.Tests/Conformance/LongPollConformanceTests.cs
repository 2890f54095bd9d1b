using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "Long-poll".</summary>
public sealed class LongPollConformanceTests(RunningSystem system)
{
    private readonly ConformanceTarget _target = new(system);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    [Requirement("L1")]
    public async Task Without_a_cursor_a_poll_answers_with_the_head()
    {
        await using var user = await _target.UserAsync();
        var (_, updates, _) = await user.RunAsync(1);
        Assert.Equal(
            $$"""{"items":[],"seq":{{ConformanceTransport.Seq(updates[^1])}},"cursor":"{{updates[^1]["cursor"]}}","more":false}""",
            (await user.PollAsync("?timeout=60")).ToJsonString());
    }

    [Fact]
    [Requirement("L2")]
    public async Task A_poll_answers_with_existing_updates_or_waits_for_new_ones()
    {
        await using var user = await _target.UserAsync();
        var head = await user.HeadAsync();
        var waiting = user.PollAsync($"?since={head}&timeout=60");
        var submitted = await user.SubmitAsync();
        foreach (var page in new[] { await waiting, await user.PollAsync($"?since={head}&timeout=60"), await user.PollAsync($"?since={head}&timeout=0") })
        {
            Assert.Equal(["items", "seq", "cursor", "more"], page.AsObject().Select(member => member.Key));
            var items = page["items"]!.AsArray();
            Assert.Equal((string?)submitted["id"], (string?)items[0]!["generationId"]);
            Assert.Equal(head + 1, ConformanceTransport.Seq(items[0]!));
            Assert.Equal(ConformanceTransport.Seq(items[^1]!), (long)page["seq"]!);
        }
    }

    [Fact]
    [Requirement("L2", "L3")]
    public async Task A_poll_answers_without_items_when_its_timeout_expires()
    {
        await using var user = await _target.UserAsync();
        var (_, updates, _) = await user.RunAsync(1);
        var head = ConformanceTransport.Seq(updates[^1]);
        var empty = $$"""{"items":[],"seq":{{head}},"cursor":"{{updates[^1]["cursor"]}}","more":false}""";
        Assert.Equal(empty, (await user.PollAsync($"?since={head}&timeout=0")).ToJsonString());
        Assert.Equal(empty, (await user.PollAsync($"?since={head}&timeout=1")).ToJsonString());
    }

    [Fact]
    [Requirement("L3")]
    public async Task An_invalid_timeout_is_refused_and_named()
    {
        await using var user = await _target.UserAsync();
        foreach (var bad in new[] { "-1", "61", "1.5", "x", "" })
        {
            using var response = await user.Http.GetAsync($"{ConformanceUser.Poll}?since=0&timeout={bad}", Token);
            var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
            Assert.Equal(["timeout"], problem["errors"]!.AsObject().Select(error => error.Key));
        }
    }

    [Fact]
    [Requirement("L4")]
    public async Task More_than_a_hundred_updates_arrive_in_pages_without_a_gap_or_repeat()
    {
        await using var user = await _target.UserAsync();
        var since = await user.HeadAsync();
        const int Count = 130;
        for (var i = 0; i < Count; i++)
        {
            var id = (string)(await user.SubmitAsync())["id"]!;
            using var canceled = await user.CancelAsync(id);
        }

        var next = since + 1;
        JsonNode page;
        do
        {
            page = await user.PollAsync($"?since={next - 1}&timeout=0");
            Assert.InRange(page["items"]!.AsArray().Count, 1, 100);
            Assert.All(page["items"]!.AsArray(), item => Assert.Equal(next++, ConformanceTransport.Seq(item!)));
            Assert.Equal(next - 1, (long)page["seq"]!);
        }
        while ((bool)page["more"]!);

        Assert.True(next > since + Count, $"{next - 1 - since} of {Count}");
    }

    [Fact]
    [Requirement("L5")]
    public async Task A_cursor_ahead_of_the_head_is_answered_with_a_resync_at_once()
    {
        await using var user = await _target.UserAsync();
        var (_, updates, _) = await user.RunAsync(1);
        var head = ConformanceTransport.Seq(updates[^1]);
        Assert.Equal(
            $$"""{"items":[],"seq":{{head}},"cursor":"{{updates[^1]["cursor"]}}","more":false,"resync":true}""",
            (await user.PollAsync($"?since={head + 1}&timeout=60")).ToJsonString());
    }
}
