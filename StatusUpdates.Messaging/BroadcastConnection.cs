using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace StatusUpdates.Messaging;

/// <summary>
/// The connection for the channels that many listen to: the global one and that of cancel requests. A PUBLISH that is not answered holds up all that
/// was sent after it on its connection, and a server that does not buffer for its subscribers (Garnet) answers when the slowest of them reads. On a
/// connection of their own these channels hold up no user's. Connects in the background, without anybody waiting. Thread-safe.
/// </summary>
internal sealed class BroadcastConnection : IAsyncDisposable
{
    private readonly Task<IConnectionMultiplexer> _connecting;
    private readonly bool _isOwn;

    /// <param name="redis">The system's client, which serves where it was made of other settings than these.</param>
    /// <param name="configured">The settings that it was made of.</param>
    public BroadcastConnection(IConnectionMultiplexer redis, IOptions<ConfigurationOptions> configured)
    {
        _isOwn = configured.Value.EndPoints.Count > 0;

        // Without the caller's context: a request that happens to be the first to publish is not what the connection is a part of.
        using (ExecutionContext.SuppressFlow())
        {
            _connecting = _isOwn ? ConnectAsync(configured.Value.Clone()) : Task.FromResult(redis);
        }
    }

    /// <summary>The client, once its first attempt to connect is over.</summary>
    /// <exception cref="RedisConnectionException">It is not connected; waiting for it would only bring late what the log brings anyway.</exception>
    public async Task<ISubscriber> GetAsync()
    {
        var redis = await _connecting.ConfigureAwait(false);
        return redis.IsConnected
            ? redis.GetSubscriber()
            : throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, "The connection for all services' channels is not there.");
    }

    public async ValueTask DisposeAsync()
    {
        await ((Task)_connecting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_isOwn && _connecting.IsCompletedSuccessfully)
        {
            await (await _connecting.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
    }

    private static async Task<IConnectionMultiplexer> ConnectAsync(ConfigurationOptions options)
    {
        options.AbortOnConnectFail = false;
        options.ClientName = $"{options.ClientName ?? Environment.MachineName}-broadcast";

        // It never subscribes, and a client that cannot opens one connection instead of two.
        options.CommandMap = ConfigurationOptions.Parse(options.ToString(includePassword: false) + ",$SUBSCRIBE=").CommandMap;
        return await ConnectionMultiplexer.ConnectAsync(options).ConfigureAwait(false);
    }
}
