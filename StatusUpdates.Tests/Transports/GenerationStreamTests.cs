using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

/// <summary><c>/api/v1/generations/{id}/stream</c>.</summary>
public sealed class GenerationStreamTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task The_stream_begins_with_the_first_update_and_ends_after_the_terminal_one()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.PublishAsync("alice");
        var first = await api.PublishAsync("alice");
        await api.PublishAsync("alice");
        await using var client = await EventClient.ConnectAsync(api, "alice", PathOf(first.GenerationId));
        Assert.Equal((1, 2), (client.Start, await client.NextSeqAsync()));
        var canceled = await CancelAsync(api, first.GenerationId);
        await api.AnnounceAsync(canceled);
        var last = await client.NextUpdateAsync();
        Assert.Equal(("canceled", canceled.Seq), ((string?)last["status"], (long?)last["seq"]));
        Assert.True(await client.EndsAsync());

        // At its end, an EventSource is told to stop; before its end, it gets what it missed.
        var path = PathOf(first.GenerationId);
        foreach (var (query, header) in new[] { ("", client.LastEventId), ($"?since={client.LastEventId}", null), ("?lastEventId=1", client.LastEventId) })
        {
            using var past = await EventClient.SendAsync(api, TestTokens.Create("alice"), path + query, header);
            Assert.Equal(HttpStatusCode.NoContent, past.StatusCode);
        }

        using (var past = await EventClient.SendAsync(api, TestTokens.Create("alice"), $"{path}?lastEventId={client.LastEventId}&since=1"))
        {
            await past.ProblemAsync(HttpStatusCode.Gone, "stream_ended");
        }

        foreach (var (query, header) in new[] { ("", "2"), ("?lastEventId=2", null), ("?since=2", null), ("?lastEventId=4", "2"), ("?since=4&lastEventId=2", null) })
        {
            await using var again = await EventClient.ConnectAsync(api, "alice", path + query, header);
            Assert.Equal(4, await again.NextSeqAsync());
            Assert.True(await again.EndsAsync());
        }
    }

    [Fact]
    public async Task The_stream_of_an_ended_generation_has_every_update_from_the_first()
    {
        await using var api = await TestApi.StartAsync(servers);
        var first = await api.PublishAsync("alice");
        await CancelAsync(api, first.GenerationId);
        await using var client = await EventClient.ConnectAsync(api, "alice", PathOf(first.GenerationId));
        Assert.Equal("pending", (string?)(await client.NextUpdateAsync())["status"]);
        Assert.Equal("canceled", (string?)(await client.NextUpdateAsync())["status"]);
        Assert.True(await client.EndsAsync());
    }

    [Fact]
    public async Task If_the_log_has_no_update_of_the_generation_left_the_stream_begins_with_the_current_state()
    {
        await using var api = await TestApi.StartAsync(servers);
        var ended = await api.CommitAsync("alice");
        var job = Assert.Single((await api.Database.ClaimAsync(cancellationToken: Token)).Claimed);
        await api.Database.Log.AppendAsync(
            new StatusChange
            {
                GenerationId = job.Id,
                Status = GenerationStatus.Completed,
                Attempt = job.Attempt,
                ResultUrls = ["https://example.com/1"],
                TokensUsed = 7,
            },
            Token);
        var running = await api.CommitAsync("alice");
        await api.CommitAsync("alice");
        await api.TrimAsync("alice", oldest: 6);

        await using (var client = await EventClient.ConnectAsync(api, "alice", PathOf(ended.GenerationId)))
        {
            var item = await client.NextAsync();
            var state = JsonNode.Parse(item.Data)!;
            Assert.Equal(("completed", 3L, 7L), ((string?)state["status"], (long)state["seq"]!, (long)state["metadata"]!["tokensUsed"]!));
            Assert.Equal("https://example.com/1", (string?)state["metadata"]!["resultUrls"]![0]);
            Assert.True(await client.EndsAsync());

            // If it had been cut before the state came, it would have resumed before it.
            Assert.Equal(2, client.Start);
            using var past = await EventClient.SendAsync(api, TestTokens.Create("alice"), PathOf(ended.GenerationId), client.LastEventId);
            Assert.Equal(HttpStatusCode.NoContent, past.StatusCode);
        }

        // An older cursor gets a resync, then the state.
        await using (var behind = await EventClient.ConnectAsync(api, "alice", PathOf(ended.GenerationId), lastEventId: "2"))
        {
            var resync = await behind.NextAsync();
            Assert.Equal(("resync", 5L, "2"), (resync.EventType, (long)JsonNode.Parse(resync.Data)!["seq"]!, resync.EventId));
            var state = await behind.NextAsync();
            Assert.Equal(
                ("completed", (string?)JsonNode.Parse(resync.Data)!["cursor"]), ((string?)JsonNode.Parse(state.Data)!["status"], state.EventId));
            Assert.True(await behind.EndsAsync());
        }

        await using var follower = await EventClient.ConnectAsync(api, "alice", PathOf(running.GenerationId));
        Assert.Equal("pending", (string?)JsonNode.Parse((await follower.NextAsync()).Data)!["status"]);
        await api.AnnounceAsync(await CancelAsync(api, running.GenerationId));
        Assert.Equal("canceled", (string?)(await follower.NextUpdateAsync())["status"]);
        Assert.True(await follower.EndsAsync());
    }

    [Fact]
    public async Task Another_users_generation_is_not_found()
    {
        await using var api = await TestApi.StartAsync(servers);
        var hers = await api.PublishAsync("alice");
        foreach (var (user, id, last) in new[] { ("bob", hers.GenerationId, null), ("bob", hers.GenerationId, "0"), ("alice", "gen-none", null), ("alice", "gen-none", "0") })
        {
            using var response = await EventClient.SendAsync(api, TestTokens.Create(user), PathOf(id), last);
            await response.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        }

        using var bad = await EventClient.SendAsync(api, TestTokens.Create("alice"), PathOf(hers.GenerationId), "-1");
        Assert.NotNull((await bad.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request"))["errors"]!["Last-Event-ID"]);
        using var badQuery = await EventClient.SendAsync(api, TestTokens.Create("alice"), PathOf(hers.GenerationId) + "?lastEventId=-1");
        Assert.NotNull((await badQuery.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request"))["errors"]!["lastEventId"]);
        Assert.Equal(0, Sockets.Registry(api).Count);
    }

    private static string PathOf(string id) => $"/api/v1/generations/{id}/stream";

    private static async Task<StatusUpdate> CancelAsync(TestApi api, string id) =>
        (await api.Database.CreateCommands().CancelAsync("alice", id, cancellationToken: Token)).Update!;
}
