using StackExchange.Redis;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Load;

/// <summary>As a worker announces updates: <see cref="StatusPublisher"/>, on both channels of Redis.</summary>
internal sealed class RedisDelivery : IDelivery
{
    private readonly ConnectionMultiplexer _redis;
    private readonly StatusPublisher _publisher;

    private RedisDelivery(ConnectionMultiplexer redis)
    {
        _redis = redis;
        _publisher = new StatusPublisher(redis);
    }

    public static async Task<RedisDelivery> ConnectAsync(string connectionString) =>
        new(await ConnectionMultiplexer.ConnectAsync(connectionString));

    public Task PublishAsync(IReadOnlyList<StatusUpdate> updates, CancellationToken cancellationToken) =>
        _publisher.PublishStatusUpdatesAsync(updates, cancellationToken);

    public ValueTask DisposeAsync() => _redis.DisposeAsync();
}
