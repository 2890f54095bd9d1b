using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Scenarios;

[Long]
[Collection(WholeMachine.Name)]
public sealed class UnreliableRedisTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task No_client_loses_an_update_or_its_connection_when_Redis_loses_repeats_and_reorders_messages_and_crashes_three_times()
    {
        const int Users = 50;
        const int ClientsOfUser = 10;
        const int PerSecond = 500;
        const int Seconds = 7;
        await using var redis = await RedisServer.StartAsync(new RedisServerOptions(), Token);
        await using var first = await TestApi.StartAsync(servers, SettingsOf(redis), configure: b => b.Services.AddSingleton<IFeedChannel, UnreliableChannel>());
        await using var second = await first.StartAnotherAsync(settings: SettingsOf(redis), configure: b => b.Services.AddSingleton<IFeedChannel, UnreliableChannel>());
        var jobs = new List<Job>();
        for (var user = 0; user < Users; user++)
        {
            jobs.AddRange(await Job.StartAsync(first, $"user-{user}", 1));
        }

        const int Updates = PerSecond * Seconds / Users;
        var last = 2 + Updates;
        var clients = new List<Follower>();
        for (var client = 0; client < Users * ClientsOfUser; client++)
        {
            clients.Add(await Follower.ConnectAsync((client % 2 == 0 ? first : second).Address, $"user-{client % Users}", 2));
        }

        var reading = Task.WhenAll(clients.Select(client => client.ReadUntilAsync(last)));
        using var tick = new PeriodicTimer(TimeSpan.FromSeconds((double)Users / PerSecond));
        for (var update = 0; update < Updates; update++)
        {
            switch (update * 7 / Updates, (update + 1) * 7 / Updates)
            {
                case (0, 1) or (2, 3) or (4, 5):
                    await redis.KillAsync();
                    break;
                case (1, 2) or (3, 4) or (5, 6):
                    await redis.RestartAsync(Token);
                    break;
                default:
                    break;
            }

            await tick.WaitForNextTickAsync(Token);
            await first.UpdateAsync([.. jobs.Select(job => job.Change(progress: update * 100 / Updates))]);
        }

        // Everything arrives on the connections from the start: a broken one would have failed its reader.
        var since = TimeProvider.System.GetTimestamp();
        await reading;
        TestContext.Current.TestOutputHelper?.WriteLine($"complete {TimeProvider.System.GetElapsedTime(since)} after the last append");
        clients.ForEach(client => client.Dispose());
        Assert.All(clients, client => Assert.Equal((last, 0), (client.Last, client.Repeats)));
    }

    private static Dictionary<string, string?> SettingsOf(RedisServer redis) => new()
    {
        ["ConnectionStrings:redis"] = redis.ConnectionString + ",abortConnect=false,connectTimeout=1000",
        ["StatusMessaging:SubscribeTimeout"] = "00:00:01",
    };

    /// <summary>Redis at its worst: it loses one message in ten, repeats one in twenty, and delivers some after their successor.</summary>
    private sealed class UnreliableChannel(StatusSubscriber subscriber) : IFeedChannel
    {
        private readonly RedisFeedChannel _inner = new(subscriber);

        public Task<IAsyncDisposable> SubscribeAsync(string userId, Action<Frame> handler, CancellationToken cancellationToken)
        {
            var random = new Random(userId.Length);
            Frame? held = null;
            return _inner.SubscribeAsync(
                userId,
                update =>
                {
                    var fate = random.Next(100);
                    if (fate < 10)
                    {
                        return;
                    }

                    if (fate < 20 && held is null)
                    {
                        held = update;
                        return;
                    }

                    handler(update);
                    if (fate < 25)
                    {
                        handler(update);
                    }

                    if (held is { } late)
                    {
                        held = null;
                        handler(late);
                    }
                },
                cancellationToken);
        }
    }
}
