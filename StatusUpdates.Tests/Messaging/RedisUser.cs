using StackExchange.Redis;

namespace StatusUpdates.Tests.Messaging;

/// <summary>A Redis user with its own permissions, and a connection as this user.</summary>
internal sealed class RedisUser : IAsyncDisposable
{
    private readonly IServer _server;
    private readonly string _name;

    private RedisUser(IServer server, string name, ConnectionMultiplexer connection, string connectionString) =>
        (_server, _name, Connection, ConnectionString) = (server, name, connection, connectionString);

    public ConnectionMultiplexer Connection { get; }

    public string ConnectionString { get; }

    /// <param name="redis">The user's server.</param>
    /// <param name="rules">Rules of <c>ACL SETUSER</c>, for a user that has no permissions otherwise.</param>
    public static async Task<RedisUser> CreateAsync(TestRedis redis, params string[] rules)
    {
        var (server, name) = (redis.Connection.GetServers().Single(), $"u{Guid.NewGuid():N}");
        await server.ExecuteAsync("ACL", (object[])["SETUSER", name, "on", ">a-password", "resetchannels", .. rules]);
        var options = ConfigurationOptions.Parse(redis.ConnectionString);
        (options.User, options.Password) = (name, "a-password");
        return new RedisUser(server, name, await ConnectionMultiplexer.ConnectAsync(options), options.ToString(includePassword: true));
    }

    /// <summary>Adds rules to the user's permissions.</summary>
    public async Task SetAsync(params string[] rules) => await _server.ExecuteAsync("ACL", (object[])["SETUSER", _name, .. rules]);

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        await _server.ExecuteAsync("ACL", "DELUSER", _name);
    }
}
