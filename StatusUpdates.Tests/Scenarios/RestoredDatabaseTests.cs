using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

public sealed class RestoredDatabaseTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_database_restored_from_an_older_backup_under_running_instances_gets_every_client_a_resync_and_then_what_is_new()
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
            // Before the restore, it was where it said.
        }

        Assert.Equal(("resync", 5), ((string?)next["type"], (long)next["seq"]!));
        Assert.Equal(5, await stream.NextResyncAsync());
        Assert.Equal("""{"items":[],"seq":5,"more":false,"resync":true}""", (await poll).ToJsonString());

        // A client that was away meanwhile, and comes with what it had.
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
    public async Task A_cursor_that_retention_has_passed_gets_a_resync_on_every_transport_and_never_a_part_of_what_it_missed()
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
            Assert.Equal("""{"items":[],"seq":10,"more":false,"resync":true}""", (await PollAsync(api, 4)).ToJsonString());

            // The oldest cursor that the log can still serve.
            await using var covered = await SocketClient.ConnectAsync(api, "alice", "?since=5");
            Assert.Equal([6L, 7, 8, 9, 10], (IEnumerable<long>)await covered.SeqsAsync(5));
        }
    }

    private static async Task UntilHeadAsync(TestApi api, long seq)
    {
        using var follower = await Follower.ConnectAsync(api.Address, "alice", 0);
        await follower.ReadUntilAsync(seq);
    }

    private static async Task<JsonNode> PollAsync(TestApi api, long since)
    {
        using var response = await api.As("alice").GetAsync($"/api/v1/status/poll?since={since}&timeout=60", Token);
        return await response.DataAsync();
    }
}
