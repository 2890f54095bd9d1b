using System.Text.Json.Nodes;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

public sealed class RestoredDatabaseTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task After_a_database_is_restored_from_an_older_backup_under_running_instances_every_client_gets_a_resync_and_then_new_updates()
    {
        await using var first = await TestApi.StartAsync(servers);
        await using var second = await first.StartAnotherAsync();
        for (var i = 0; i < 5; i++)
        {
            await first.PublishAsync("alice");
        }

        await using var backup = await first.Database.BackUpAsync(Token);
        for (var i = 0; i < 5; i++)
        {
            await first.PublishAsync("alice");
        }

        foreach (var api in new[] { first, second })
        {
            await UntilHeadAsync(api, 10);
        }

        await using var socket = await SocketClient.ConnectAsync(first, "alice", "?since=10");
        await using var filtered = await SocketClient.ConnectAsync(second, "alice", "?since=10&generationId=gen-none");
        await using var stream = await EventClient.ConnectAsync(second, "alice", lastEventId: "10");
        var poll = PollAsync(first, 10);
        await Eventually.TrueAsync(() => Sockets.Registry(first).Connections.Count() == 2);

        await backup.RestoreAsync(Token);

        var resync = await socket.NextAsync();
        Assert.Equal(("resync", 5), ((string?)resync["type"], (long)resync["seq"]!));
        JsonObject next;
        while ((string?)(next = await filtered.NextAsync())["type"] == "position")
        {
            // Sent before the restore, when it was correct.
        }

        Assert.Equal(("resync", 5), ((string?)next["type"], (long)next["seq"]!));
        Assert.Equal(5, await stream.NextResyncAsync());
        AssertResync(5, await poll);

        // A client that was disconnected meanwhile and reconnects with its old cursor.
        await using (var late = await SocketClient.ConnectAsync(second, "alice", "?since=10"))
        {
            Assert.Equal(5, (long)(await late.NextAsync())["seq"]!);
        }

        Assert.True((bool)(await PollAsync(second, 10))["resync"]!);

        await first.PublishAsync("alice");
        Assert.Equal(6, await socket.NextSeqAsync());
        Assert.Equal(6, await stream.NextSeqAsync());
        Assert.Equal(6, (long)(await PollAsync(first, 5))["items"]![0]!["seq"]!);
    }

    [Fact]
    public async Task When_a_log_was_restored_and_has_grown_past_the_cursors_only_those_whose_update_is_gone_get_a_resync()
    {
        await using var first = await TestApi.StartAsync(servers);
        await using var second = await first.StartAnotherAsync();
        for (var i = 0; i < 5; i++)
        {
            await first.PublishAsync("alice");
        }

        var kept = await HeadAsync(first);
        await using var backup = await first.Database.BackUpAsync(Token);
        for (var i = 0; i < 5; i++)
        {
            await first.PublishAsync("alice");
        }

        var lost = await HeadAsync(first);
        foreach (var api in new[] { first, second })
        {
            await UntilHeadAsync(api, 10);
        }

        await using var socket = await SocketClient.ConnectAsync(first, "alice", $"?since={lost}");
        await using var filtered = await SocketClient.ConnectAsync(second, "alice", $"?since={lost}&generationId=gen-none");
        await using var stream = await EventClient.ConnectAsync(second, "alice", lastEventId: lost.ToString());
        var poll = PollAsync(first, lost);
        await Eventually.TrueAsync(() => Sockets.Registry(first).Connections.Count() == 2);

        await backup.SubmitAsync("alice", 10, Token);
        await backup.RestoreAsync(Token);

        Assert.Equal(("resync", 15), TypeAndSeqOf(await socket.NextAsync()));
        JsonObject next;
        while ((string?)(next = await filtered.NextAsync())["type"] == "position")
        {
            // Sent before the restore, when it was correct.
        }

        Assert.Equal(("resync", 15), TypeAndSeqOf(next));
        Assert.Equal(15, await stream.NextResyncAsync());
        AssertResync(15, await poll);
        foreach (var api in new[] { first, second })
        {
            await using var late = await SocketClient.ConnectAsync(api, "alice", $"?since={lost}");
            Assert.Equal(("resync", 15), TypeAndSeqOf(await late.NextAsync()));
            await using var lateStream = await EventClient.ConnectAsync(api, "alice", lastEventId: lost.ToString());
            Assert.Equal(15, await lateStream.NextResyncAsync());
            AssertResync(15, await PollAsync(api, lost));

            await using var early = await SocketClient.ConnectAsync(api, "alice", $"?since={kept}");
            Assert.Equal(Enumerable.Range(6, 10).Select(seq => (long)seq), await early.SeqsAsync(10));
        }

        await first.PublishAsync("alice");
        Assert.Equal(16, await socket.NextSeqAsync());
        Assert.Equal(16, await stream.NextSeqAsync());
    }

    [Fact]
    public async Task A_cursor_that_retention_has_passed_gets_a_resync_on_every_transport_and_never_part_of_what_it_missed()
    {
        await using var first = await TestApi.StartAsync(servers);
        await using var second = await first.StartAnotherAsync();
        for (var i = 0; i < 10; i++)
        {
            await first.PublishAsync("alice");
        }

        await first.TrimAsync("alice", oldest: 6);
        foreach (var api in new[] { first, second })
        {
            await using var socket = await SocketClient.ConnectAsync(api, "alice", "?since=4");
            var resync = await socket.NextAsync();
            Assert.Equal(("resync", 10), ((string?)resync["type"], (long)resync["seq"]!));
            await using var stream = await EventClient.ConnectAsync(api, "alice", lastEventId: "4");
            Assert.Equal(10, await stream.NextResyncAsync());
            AssertResync(10, await PollAsync(api, 4));

            // The oldest cursor that the log can still serve.
            await using var covered = await SocketClient.ConnectAsync(api, "alice", "?since=5");
            Assert.Equal([6L, 7, 8, 9, 10], (IEnumerable<long>)await covered.SeqsAsync(5));
        }
    }

    private static (string? Type, long Seq) TypeAndSeqOf(JsonNode message) => ((string?)message["type"], (long)message["seq"]!);

    private static async Task<LogPosition> HeadAsync(TestApi api) => (await api.Database.Log.ReadBoundsAsync("alice", Token)).Head;

    private static async Task UntilHeadAsync(TestApi api, long seq)
    {
        using var follower = await Follower.ConnectAsync(api.Address, "alice", 0);
        await follower.ReadUntilAsync(seq);
    }

    private static void AssertResync(long head, JsonNode page)
    {
        Assert.Empty(page["items"]!.AsArray());
        Assert.Equal((head, false, true), ((long)page["seq"]!, (bool)page["more"]!, (bool?)page["resync"] ?? false));
        Assert.StartsWith($"{head}-", (string)page["cursor"]!, StringComparison.Ordinal);
    }

    private static async Task<JsonNode> PollAsync(TestApi api, LogPosition since)
    {
        using var response = await api.As("alice").GetAsync($"/api/v1/status/poll?since={since}&timeout=60", Token);
        return await response.DataAsync();
    }
}
