using System.Collections.Concurrent;
using StackExchange.Redis;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;

[assembly: AssemblyFixture(typeof(TestServers))]

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>
/// The servers that all tests of a run share: real Postgres and Redis as native processes on free ports, started on first use.
/// A test that stops or kills a server starts its own.
/// </summary>
public sealed class TestServers : IAsyncDisposable
{
    // Not durable, for the shared cluster only: no test cuts its power, and tests that kill a server start their own.
    private static readonly Dictionary<string, string> PostgresSettings = new()
    {
        ["fsync"] = "off",
        ["full_page_writes"] = "off",
        ["max_connections"] = "400",
        ["shared_buffers"] = "128MB",
    };

    private readonly ConcurrentDictionary<string, Lazy<Task<TestCluster>>> _clusters = new();
    private readonly ConcurrentDictionary<RedisFlavor, Lazy<Task<RedisServer>>> _redis = new();

    /// <summary>A fresh, migrated database on the default Postgres.</summary>
    public async Task<TestDatabase> CreateDatabaseAsync(CancellationToken cancellationToken = default) =>
        await CreateDatabaseAsync(await PostgresBinaries.FindAsync(cancellationToken), cancellationToken);

    /// <summary>
    /// A fresh, migrated database on the oldest or the newest Postgres that this machine offers. If it offers only one version, a test of the
    /// newest is skipped: it has run on the oldest.
    /// </summary>
    public async Task<TestDatabase> CreateDatabaseAsync(PostgresAge age, CancellationToken cancellationToken = default)
    {
        var all = await PostgresBinaries.FindAllAsync(cancellationToken);
        var oldest = all.MinBy(b => b.Version)!;
        var newest = all.MaxBy(b => b.Version)!;
        Assert.SkipWhen(
            age == PostgresAge.Newest && newest.Version.Major == oldest.Version.Major, "This machine offers one version of PostgreSQL.");
        return await CreateDatabaseAsync(age == PostgresAge.Newest ? newest : oldest, cancellationToken);
    }

    private async Task<TestDatabase> CreateDatabaseAsync(PostgresBinaries binaries, CancellationToken cancellationToken)
    {
        var cluster = await _clusters.GetOrAdd(
            binaries.BinDirectory,
            _ => new Lazy<Task<TestCluster>>(() => TestCluster.StartSharedAsync(binaries, PostgresSettings))).Value;
        return await cluster.CreateDatabaseAsync(cancellationToken);
    }

    /// <summary>A connection to a shared Redis, with its own channel prefix.</summary>
    public async Task<TestRedis> ConnectRedisAsync(RedisFlavor flavor = RedisFlavor.Auto)
    {
        var server = await _redis.GetOrAdd(
            flavor,
            f => new Lazy<Task<RedisServer>>(() => RedisServer.StartAsync(new RedisServerOptions { Flavor = f }))).Value;
        return await TestRedis.ConnectAsync(server.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var cluster in _clusters.Values)
        {
            await (await cluster.Value).DisposeAsync();
        }

        foreach (var redis in _redis.Values)
        {
            await (await redis.Value).DisposeAsync();
        }
    }
}

/// <summary>Which of the machine's Postgres versions to use.</summary>
public enum PostgresAge
{
    Oldest,
    Newest,
}

/// <summary>A connection to Redis and a channel prefix that no other test uses.</summary>
public sealed class TestRedis : IAsyncDisposable
{
    private TestRedis(string connectionString, IConnectionMultiplexer connection)
    {
        ConnectionString = connectionString;
        Connection = connection;
    }

    public string ConnectionString { get; }

    public IConnectionMultiplexer Connection { get; }

    /// <summary>Put before every channel name.</summary>
    public string ChannelPrefix { get; } = $"t{Guid.NewGuid():N}:";

    public StatusMessagingOptions Options => new() { ChannelPrefix = ChannelPrefix, SubscribeTimeout = TimeSpan.FromSeconds(60) };

    public static async Task<TestRedis> ConnectAsync(string connectionString)
    {
        var options = ConfigurationOptions.Parse(connectionString);
        options.AbortOnConnectFail = false;
        return new TestRedis(connectionString, await ConnectionMultiplexer.ConnectAsync(options));
    }

    public ValueTask DisposeAsync() => Connection.DisposeAsync();
}
