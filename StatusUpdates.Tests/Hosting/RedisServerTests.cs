using StackExchange.Redis;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

public sealed class RedisServerTests
{
    [Theory]
    [InlineData(RedisFlavor.RedisServer)]
    [InlineData(RedisFlavor.Garnet)]
    public async Task Either_flavor_publishes_and_delivers_and_recovers_after_a_kill(RedisFlavor flavor)
    {
        var cancellation = TestTime.Token;
        Assert.SkipWhen(flavor == RedisFlavor.RedisServer && ToolPath.Find("redis-server") is null, "redis-server is not installed");
        await using var server = await RedisServer.StartAsync(new() { Flavor = flavor, Password = "secret7" }, cancellation);
        var port = server.Port;

        Assert.Equal("hello", await RoundTripAsync(server, cancellation));
        await server.KillAsync();
        await server.RestartAsync(cancellation);

        Assert.Equal(port, server.Port);
        Assert.Equal("hello", await RoundTripAsync(server, cancellation));
    }

    [Theory]
    [InlineData(RedisFlavor.RedisServer)]
    [InlineData(RedisFlavor.Garnet)]
    public async Task A_password_is_required(RedisFlavor flavor)
    {
        var cancellation = TestTime.Token;
        Assert.SkipWhen(flavor == RedisFlavor.RedisServer && ToolPath.Find("redis-server") is null, "redis-server is not installed");
        await using var server = await RedisServer.StartAsync(new() { Flavor = flavor, Password = "secret7" }, cancellation);

        await Assert.ThrowsAsync<RedisConnectionException>(async () =>
        {
            await using var unauthenticated = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{server.Port},connectRetry=0,password=wrong");
        });
    }

    [Fact]
    public void Auto_uses_redis_server_if_installed_and_otherwise_Garnet()
    {
        Assert.Equal(RedisFlavor.RedisServer, RedisDirectory.ChooseFlavor(RedisFlavor.Auto, hasRedisServer: true));
        Assert.Equal(RedisFlavor.Garnet, RedisDirectory.ChooseFlavor(RedisFlavor.Auto, hasRedisServer: false));
        var error = Assert.Throws<InvalidOperationException>(() => RedisDirectory.ChooseFlavor(RedisFlavor.RedisServer, hasRedisServer: false));
        Assert.Contains("apt install redis-server", error.Message, StringComparison.Ordinal);
    }

    private static async Task<string?> RoundTripAsync(RedisServer server, CancellationToken cancellationToken)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(server.ConnectionString);
        var channel = await connection.GetSubscriber().SubscribeAsync(RedisChannel.Literal("generation:status-updates"));
        await connection.GetSubscriber().PublishAsync(RedisChannel.Literal("generation:status-updates"), "hello");
        return (await channel.ReadAsync(cancellationToken)).Message;
    }
}
