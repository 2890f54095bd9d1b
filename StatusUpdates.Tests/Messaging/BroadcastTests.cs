using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Messaging;

/// <summary>Channels with many subscribers have their own connection.</summary>
public sealed class BroadcastTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_subscriber_to_all_updates_that_does_not_read_delays_no_user()
    {
        // More than a socket's buffers hold, on a server that has no other buffers.
        const int Updates = 400;
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Flavor = RedisFlavor.Garnet }, Token);
        await using var redis = await TestRedis.ConnectAsync(server.ConnectionString + ",asyncTimeout=600000");
        await using var broadcast = BroadcastOf(redis);
        var publisher = new StatusPublisher(redis.Connection, redis.Options) { Broadcast = broadcast };
        var subscriber = new StatusSubscriber(redis.Connection, redis.Options);
        var mine = Channel.CreateUnbounded<long>();
        var all = Channel.CreateUnbounded<long>();
        await using var subscriptionToMine = await subscriber.SubscribeUserAsync("u", update => mine.Writer.TryWrite(update.Seq!.Value), cancellationToken: Token);
        await using var subscriptionToAll = await subscriber.SubscribeAllAsync(update => all.Writer.TryWrite(update.Seq!.Value), Token);
        using var stuck = await SubscribeRawAsync(server.Port, new StatusChannels(redis.Options).All);

        var heldUp = publisher.PublishStatusUpdatesAsync([.. Enumerable.Range(1, Updates).Select(LongUpdate)], Token);
        await ReadInOrderAsync(mine, 1, Updates);
        Assert.False(await publisher.TryPublishAsync([LongUpdate(Updates + 1)]));
        Assert.False(await publisher.TryPublishCancelRequestAsync("gen-1"));
        Assert.False(await publisher.TryPublishAsync([LongUpdate(Updates + 2)]));
        await ReadInOrderAsync(mine, Updates + 1, 2);
        Assert.False(heldUp.IsCompleted);

        var reading = ReadToEndAsync(stuck);
        await heldUp;
        await ReadInOrderAsync(all, 1, Updates + 2);
        stuck.Shutdown(SocketShutdown.Both);
        await reading;
    }

    [Fact]
    public async Task Broadcasts_use_one_more_connection_that_lasts_as_long_as_the_service()
    {
        var name = $"n{Guid.NewGuid():N}";
        await using var redis = await servers.ConnectRedisAsync(RedisFlavor.RedisServer);
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        var server = admin.GetServers().Single();
        await using (var api = await TestApi.StartAsync(
            database, redis, new Dictionary<string, string?> { ["ConnectionStrings:redis"] = $"{redis.ConnectionString},name={name}" }))
        {
            var received = new TaskCompletionSource();
            await using var subscription = await new StatusSubscriber(redis.Connection, redis.Options).SubscribeAllAsync(_ => received.TrySetResult(), Token);
            using var submitted = await api.As("u").PostAsync("/api/v1/generations", Answers.Json("""{"type":"chat","prompt":"p"}"""), Token);
            await received.Task.WaitAsync(Token);
            Assert.Equal([name, name, $"{name}-broadcast"], await NamesAsync());
        }

        await Eventually.TrueAsync(async () => (await NamesAsync()).Length == 0, everyMilliseconds: 20);

        async Task<string[]> NamesAsync() =>
            [.. (await server.ClientListAsync()).Select(client => client.Name ?? "").Where(other => other.StartsWith(name, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task A_client_created_with_other_settings_is_used_for_all_channels()
    {
        await using var redis = await servers.ConnectRedisAsync();
        await using (var broadcast = new BroadcastConnection(redis.Connection, Options.Create(new ConfigurationOptions())))
        {
            Assert.True(await new StatusPublisher(redis.Connection, redis.Options) { Broadcast = broadcast }.TryPublishCancelRequestAsync("gen-1"));
        }

        Assert.True(redis.Connection.IsConnected);
    }

    private static BroadcastConnection BroadcastOf(TestRedis redis) =>
        new(redis.Connection, Options.Create(ConfigurationOptions.Parse(redis.ConnectionString)));

    private static StatusUpdate LongUpdate(int seq) => new()
    {
        GenerationId = "gen-1",
        UserId = "u",
        Type = "chat",
        Status = GenerationStatus.Processing,
        Timestamp = 1,
        Seq = seq,
        Metadata = new StatusMetadata { ErrorMessage = new string('x', 60_000) },
    };

    private static async Task<Socket> SubscribeRawAsync(int port, RedisChannel channel)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(IPAddress.Loopback, port, Token);
        var name = (string)channel!;
        await socket.SendAsync(Encoding.ASCII.GetBytes($"*2\r\n$9\r\nSUBSCRIBE\r\n${name.Length}\r\n{name}\r\n"), Token);
        Assert.NotEqual(0, await socket.ReceiveAsync(new byte[1], Token));
        return socket;
    }

    private static async Task ReadInOrderAsync(Channel<long> channel, int first, int count)
    {
        for (var seq = first; seq < first + count; seq++)
        {
            Assert.Equal(seq, await channel.Reader.ReadAsync(Token));
        }
    }

    private static async Task ReadToEndAsync(Socket socket)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await socket.ReceiveAsync(buffer, Token) > 0)
            {
                // Discarded.
            }
        }
        catch (SocketException)
        {
            // Shut down while something was still on its way.
        }
    }
}
