using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Load;

/// <summary>Publishes updates as a worker does: with <see cref="StatusPublisher"/>, on both Redis channels, sealed with the system's key.</summary>
internal sealed class RedisDelivery : IDelivery
{
    private readonly ConnectionMultiplexer _redis;
    private readonly StatusPublisher _publisher;

    private RedisDelivery(ConnectionMultiplexer redis, MessageSeal seal)
    {
        _redis = redis;
        _publisher = new StatusPublisher(redis, seal: seal);
    }

    public static async Task<RedisDelivery> ConnectAsync(BenchmarkSystem system, CancellationToken cancellationToken)
    {
        var seal = new MessageSeal();
        await using (var database = new StatusDatabase(system.Database))
        {
            using var loader = new MessageKeyLoader(database, seal, TimeProvider.System, NullLogger<MessageKeyLoader>.Instance);
            await loader.LoadAsync(cancellationToken);
        }

        return new(await ConnectionMultiplexer.ConnectAsync(system.Redis), seal);
    }

    public Task PublishAsync(IReadOnlyList<StatusUpdate> updates, CancellationToken cancellationToken) =>
        _publisher.PublishStatusUpdatesAsync(updates, cancellationToken);

    public ValueTask DisposeAsync() => _redis.DisposeAsync();
}
