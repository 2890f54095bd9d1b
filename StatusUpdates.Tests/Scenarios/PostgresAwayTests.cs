using System.Net;
using System.Net.WebSockets;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

public sealed class PostgresAwayTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData(StopMode.Fast)]
    [InlineData(StopMode.Immediate)]
    public async Task Connections_survive_an_outage_of_Postgres_and_get_everything_that_comes_after_it(StopMode mode)
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var database = await cluster.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        await using var api = await TestApi.StartAsync(database, redis);
        await api.PublishAsync("alice");
        await using var socket = await SocketClient.ConnectAsync(api, "alice", "?since=1");
        await using var stream = await EventClient.ConnectAsync(api, "alice", lastEventId: "1");
        var poll = api.As("alice").GetAsync("/api/v1/status/poll?since=1&timeout=60", Token);
        await Eventually.TrueAsync(() => Sockets.Registry(api).Connections.Count() == 3);

        await cluster.Server.StopAsync(mode, Token);

        // New requests get an error that says when to retry.
        using (var list = await api.As("alice").GetAsync("/api/v1/generations", Token))
        {
            await list.ProblemAsync(HttpStatusCode.ServiceUnavailable, "database_unavailable");
            Assert.NotNull(list.Headers.RetryAfter);
        }

        await Assert.ThrowsAsync<WebSocketException>(() => SocketClient.ConnectAsync(api, "alice", "?since=1"));
        using (var late = await EventClient.SendAsync(api, TestTokens.Create("alice"), EventClient.All + "?since=1"))
        {
            await late.ProblemAsync(HttpStatusCode.ServiceUnavailable, "database_unavailable");
            Assert.NotNull(late.Headers.RetryAfter);
        }

        await socket.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (string?)(await socket.NextAsync())["type"]);

        await cluster.Server.RestartAsync(mode, Token);
        await api.CommitAsync("alice"); // unannounced: the sweep finds it
        await api.PublishAsync("alice");
        Assert.Equal((2, 3), (await socket.NextSeqAsync(), await socket.NextSeqAsync()));
        Assert.Equal((2, 3), (await stream.NextSeqAsync(), await stream.NextSeqAsync()));
        using var answer = await poll;
        Assert.Equal(2, (long)(await answer.DataAsync())["items"]!.AsArray()[0]!["seq"]!);
    }
}
