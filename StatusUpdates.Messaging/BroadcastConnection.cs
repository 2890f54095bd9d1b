using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace StatusUpdates.Messaging;

/// <summary>
/// The connection for channels with many subscribers: the global channel and the one for cancel requests. An unanswered PUBLISH holds up everything
/// sent after it on the same connection, and a server that does not buffer for its subscribers (Garnet) answers only when the slowest of them reads.
/// With a connection of their own, these channels do not hold up the users' channels. Connects in the background; no caller waits for it. Thread-safe.
/// </summary>
internal sealed class BroadcastConnection : IAsyncDisposable
{
    private readonly Task<IConnectionMultiplexer> _connecting;
    private readonly bool _isOwn;

    /// <param name="redis">The system's client; used here if <paramref name="configured"/> names no endpoint.</param>
    /// <param name="configured">The settings from which the system's client was created.</param>
    public BroadcastConnection(IConnectionMultiplexer redis, IOptions<ConfigurationOptions> configured)
    {
        _isOwn = configured.Value.EndPoints.Count > 0;

        // Without the caller's context: the connection must not become part of the request that happens to publish first.
        using (ExecutionContext.SuppressFlow())
        {
            _connecting = _isOwn ? ConnectAsync(configured.Value.Clone()) : Task.FromResult(redis);
        }
    }

    /// <summary>The client, once its first attempt to connect has ended.</summary>
    /// <exception cref="RedisConnectionException">It is not connected. Waiting would only deliver late what the log delivers anyway.</exception>
    public async Task<ISubscriber> GetAsync()
    {
        var redis = await _connecting.ConfigureAwait(false);
        return redis.IsConnected
            ? redis.GetSubscriber()
            : throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, "The Redis connection for broadcast channels is not connected.");
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

        // This client never subscribes. Without the SUBSCRIBE command, a client opens one connection instead of two.
        options.CommandMap = ConfigurationOptions.Parse(options.ToString(includePassword: false) + ",$SUBSCRIBE=").CommandMap;
        return await ConnectionMultiplexer.ConnectAsync(options).ConfigureAwait(false);
    }
}
