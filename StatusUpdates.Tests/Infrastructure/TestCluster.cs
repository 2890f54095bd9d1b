using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>A running Postgres that creates migrated databases by copying a template.</summary>
public sealed class TestCluster : IAsyncDisposable
{
    private const string Template = "status_template";

    private readonly NpgsqlDataSource _admin;

    private TestCluster(PostgresServer server, bool isShared)
    {
        Server = server;

        // A test may restart its own server, and pooled connections do not survive that.
        _admin = NpgsqlDataSource.Create($"{server.ConnectionString};Pooling={isShared}");
    }

    public PostgresServer Server { get; }

    /// <summary>Starts a server with a template that has the current schema, for one test.</summary>
    public static Task<TestCluster> StartAsync() => StartAsync(null, new Dictionary<string, string>(), isShared: false);

    /// <summary>Like <see cref="StartAsync()"/>, but for many tests, none of which stops the server.</summary>
    public static Task<TestCluster> StartSharedAsync(PostgresBinaries binaries, IReadOnlyDictionary<string, string> settings) =>
        StartAsync(binaries, settings, isShared: true);

    private static async Task<TestCluster> StartAsync(PostgresBinaries? binaries, IReadOnlyDictionary<string, string> settings, bool isShared)
    {
        var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            Binaries = binaries,
            Settings = settings,
        });
        var cluster = new TestCluster(server, isShared);
        await cluster.ExecuteAsync($"CREATE DATABASE {Template}", CancellationToken.None);
        await using (var database = new StatusDatabase(cluster.ConnectionStringFor(Template) + ";Pooling=false"))
        {
            await new DatabaseMigrator(database, new StatusDatabaseOptions(), TimeProvider.System, NullLogger<DatabaseMigrator>.Instance)
                .MigrateAsync(CancellationToken.None);
        }

        return cluster;
    }

    /// <summary>A fresh copy of the template.</summary>
    public async Task<TestDatabase> CreateDatabaseAsync(CancellationToken cancellationToken)
    {
        var name = $"t{Guid.NewGuid():N}";
        // A file copy takes half the CPU time of a copy through the WAL.
        await ExecuteAsync($"CREATE DATABASE {name} TEMPLATE {Template} STRATEGY FILE_COPY", cancellationToken);
        return new TestDatabase(this, name);
    }

    public async ValueTask DisposeAsync()
    {
        await _admin.DisposeAsync();
        await Server.DisposeAsync();
    }

    internal string ConnectionStringFor(string database) =>
        new NpgsqlConnectionStringBuilder(Server.ConnectionStringFor(database)) { MaxPoolSize = 40 }.ConnectionString;

    internal Task DropAsync(string name) => ExecuteAsync($"DROP DATABASE {name} WITH (FORCE)", CancellationToken.None);

    internal async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = _admin.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
