using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "One generation's stream". The 404 for another user's generation is tested with authentication.</summary>
public sealed class GenerationStreamConformanceTests(RunningSystem system)
{
    private readonly ConformanceTarget _target = new(system);

    [Fact]
    [Requirement("G1", "G2")]
    public async Task Opened_right_away_or_after_the_end_a_stream_sends_all_updates_and_ends()
    {
        await using var user = await _target.UserAsync();
        await user.SubmitAsync();
        var id = (string)(await user.SubmitAsync("product_card"))["id"]!;
        await user.SubmitAsync();
        var live = await ReadAllAsync(user, id);
        var history = (await user.HistoryAsync(id, "?limit=1000"))["items"]!.AsArray().Select(item => item!).ToArray();
        Assert.Equal("pending", (string?)live[0]["status"]);
        Assert.True(ConformanceUser.IsTerminal(live[^1]));
        ConformanceTransport.AssertSame(history, live);
        ConformanceTransport.AssertSame(history, await ReadAllAsync(user, id));
    }

    [Fact]
    [Requirement("G3")]
    public async Task A_reconnect_gets_the_missed_updates_and_at_or_past_the_end_is_told_to_stop()
    {
        await using var user = await _target.UserAsync();
        var (_, updates, ids) = await user.RunAsync(1);
        for (var i = 0; i < updates.Count - 1; i++)
        {
            await using var again = await user.StreamOfAsync(ids[0], $"{ConformanceTransport.Seq(updates[i])}");
            ConformanceTransport.AssertSame([.. updates.Skip(i + 1)], await ReadToEndAsync(again));
        }

        foreach (var past in new[] { 0, 1, 1000 })
        {
            using var response = await EventClient.SendAsync(
                user.Http, $"{ConformanceUser.Generations}/{ids[0]}/stream", $"{ConformanceTransport.Seq(updates[^1]) + past}");
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
            var path = $"{ConformanceUser.Generations}/{ids[0]}/stream";
            using var bySince = await EventClient.SendAsync(user.Http, $"{path}?since={ConformanceTransport.Seq(updates[^1]) + past}");
            Assert.Equal(HttpStatusCode.NoContent, bySince.StatusCode);
            using var byQuery = await EventClient.SendAsync(user.Http, $"{path}?lastEventId={ConformanceTransport.Seq(updates[^1]) + past}");
            await byQuery.ProblemAsync(HttpStatusCode.Gone, "stream_ended");
        }
    }

    [Fact]
    [Requirement("G2")]
    public async Task The_end_of_a_generation_is_seen_however_soon_it_comes()
    {
        await using var user = await _target.UserAsync();
        for (var i = 0; i < 20; i++)
        {
            var id = (string)(await user.SubmitAsync())["id"]!;
            var canceling = user.CancelAsync(id);
            var whole = await ReadAllAsync(user, id);
            using var canceled = await canceling;
            Assert.True(ConformanceUser.IsTerminal(whole[^1]));
        }
    }

    private static async Task<List<JsonNode>> ReadAllAsync(ConformanceUser user, string id)
    {
        await using var stream = await user.StreamOfAsync(id);
        return await ReadToEndAsync(stream);
    }

    private static async Task<List<JsonNode>> ReadToEndAsync(EventClient stream)
    {
        List<JsonNode> read = [];
        do
        {
            read.Add(await stream.NextUpdateAsync());
        }
        while (!ConformanceUser.IsTerminal(read[^1]));

        Assert.True(await stream.EndsAsync());
        return read;
    }
}
