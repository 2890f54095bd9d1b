using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Scenarios.BadDay;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

public sealed class FailoverTests(TestServers servers)
{
    [Fact]
    public async Task When_a_standby_that_lags_takes_over_connections_stay_open_and_get_a_resync_and_then_new_updates()
    {
        await using var pair = await FailoverPair.StartAsync();
        Assert.SkipUnless(pair.CanFailOver, "pg_basebackup is not installed.");
        await using var database = TestDatabase.At(pair.ConnectionStringFor("statusdb"));
        await using var redis = await servers.ConnectRedisAsync();
        await using var api = await TestApi.StartAsync(database, redis);
        await using var socket = await SocketClient.ConnectAsync(api, "alice", "?since=0");
        await api.PublishAsync("alice");
        Assert.Equal(1, await socket.NextSeqAsync());
        await pair.AddStandbyAsync();

        pair.LetLag();
        await api.PublishAsync("alice");
        Assert.Equal(2, await socket.NextSeqAsync());
        await pair.FailOverAsync((_, _) => Task.CompletedTask);

        var resync = await socket.NextAsync();
        Assert.Equal(("resync", 1), ((string?)resync["type"], (long)resync["seq"]!));
        await api.PublishAsync("alice");
        Assert.Equal(2, await socket.NextSeqAsync());
    }
}
