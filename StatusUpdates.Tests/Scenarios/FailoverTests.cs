using System.Text.Json.Nodes;
using Npgsql;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Scenarios.BadDay;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

public sealed class FailoverTests(TestServers servers)
{
    private const int UsersOfEachKind = 5;

    // In every second one Redis is away, before or after the standby has taken over.
    private static readonly int Failovers = ScenarioSize.Of(small: 2, full: 10);

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

    [Fact]
    public async Task In_each_of_many_failovers_under_load_every_cursor_with_lost_updates_gets_a_resync_and_no_other_does()
    {
        await using var pair = await FailoverPair.StartAsync();
        Assert.SkipUnless(pair.CanFailOver, "pg_basebackup is not installed.");
        await using var server = await RedisServer.StartAsync(new RedisServerOptions(), TestTime.Token);
        await using var proxy = new TcpProxy(server.Port);
        await using var database = TestDatabase.At(pair.ConnectionStringFor("statusdb"));
        await using var redis = await TestRedis.ConnectAsync(
            server.ConnectionString.Replace($":{server.Port}", $":{proxy.Port}", StringComparison.Ordinal) + ",abortConnect=false,connectTimeout=1000");
        await using var api = await TestApi.StartAsync(database, redis);
        for (var number = 0; number < Failovers; number++)
        {
            using var ended = new CancellationTokenSource();
            var load = WriteUntilAsync(api, $"load-{number}", ended.Token);
            var kept = await ConnectedAsync(api, $"kept-{number}");
            var lost = await ConnectedAsync(api, $"lost-{number}");
            await pair.AddStandbyAsync();
            pair.LetLag();
            foreach (var user in lost)
            {
                user.Cursor = await user.PublishAsync(api);
            }

            SetReachable(proxy, server, isReachable: number % 2 == 0);
            await pair.FailOverAsync((_, _) => Task.CompletedTask);
            foreach (var user in lost)
            {
                var resync = await user.Socket.NextAsync();
                Assert.Equal(("resync", 1), ((string?)resync["type"], (long)resync["seq"]!));
            }

            // The new log grows past the old positions.
            foreach (var user in kept.Concat(lost))
            {
                Assert.Equal(2, await user.WriteAsync(api));
                Assert.Equal(2, await user.Socket.NextSeqAsync());
            }

            SetReachable(proxy, server, isReachable: true);
            foreach (var user in kept.Concat(lost))
            {
                Assert.Equal(3, await user.WriteAsync(api));
                Assert.Equal(3, await user.Socket.NextSeqAsync());
                var page = await user.PollAsync(api);
                Assert.Equal((lost.Contains(user), user.Id), ((bool?)page["resync"] == true, user.Id));
                await user.Socket.DisposeAsync();
            }

            await ended.CancelAsync();
            await load;
        }
    }

    private static async Task<User[]> ConnectedAsync(TestApi api, string name)
    {
        var users = new List<User>();
        for (var i = 0; i < UsersOfEachKind; i++)
        {
            var user = new User($"{name}-{i}") { Socket = await SocketClient.ConnectAsync(api, $"{name}-{i}", "?since=0") };
            user.Cursor = await user.PublishAsync(api);
            users.Add(user);
        }

        return [.. users];
    }

    /// <summary>Writes for a user of its own, whatever is away.</summary>
    private static async Task WriteUntilAsync(TestApi api, string userId, CancellationToken ended)
    {
        await Task.Yield();
        while (!ended.IsCancellationRequested)
        {
            try
            {
                await api.PublishAsync(userId);
            }
            catch (NpgsqlException)
            {
                await Task.Delay(50, CancellationToken.None);
            }
        }
    }

    private static void SetReachable(TcpProxy proxy, RedisServer server, bool isReachable)
    {
        proxy.TargetPort = isReachable ? server.Port : LoopbackPort.FindFree();
        if (!isReachable)
        {
            proxy.Cut();
        }
    }

    private sealed class User(string id)
    {
        public string Id => id;

        public required SocketClient Socket { get; init; }

        /// <summary>The position with its check, as a client stores it.</summary>
        public string Cursor { get; set; } = "";

        public async Task<string> PublishAsync(TestApi api)
        {
            await api.PublishAsync(id);
            return (string)(await Socket.NextPayloadAsync())["cursor"]!;
        }

        /// <summary>Writes as soon as the database is there.</summary>
        public async Task<long> WriteAsync(TestApi api)
        {
            while (true)
            {
                try
                {
                    return (await api.PublishAsync(id)).Seq!.Value;
                }
                catch (NpgsqlException)
                {
                    await Task.Delay(50, TestTime.Token);
                }
            }
        }

        public async Task<JsonObject> PollAsync(TestApi api)
        {
            using var client = api.As(id);
            using var response = await client.GetAsync($"/api/v1/status/poll?since={Cursor}&timeout=0", TestTime.Token);
            return (await response.DataAsync()).AsObject();
        }
    }
}
