using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>A running Postgres that makes migrated databases by copying a template.</summary>
public sealed class TestCluster : IAsyncDisposable
{
    private const string Template = "status_template";

    private readonly NpgsqlDataSource _admin;

    private TestCluster(PostgresServer server)
    {
        Server = server;
        // Not pooled: tests restart the server under it.
        _admin = NpgsqlDataSource.Create(server.ConnectionString + ";Pooling=false");
    }

    public PostgresServer Server { get; }

    /// <summary>Starts a server with a template that holds the present schema.</summary>
    public static async Task<TestCluster> StartAsync(PostgresBinaries? binaries = null, IReadOnlyDictionary<string, string>? settings = null)
    {
        var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            Binaries = binaries,
            Settings = settings ?? new Dictionary<string, string>(),
        });
        var cluster = new TestCluster(server);
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
        await ExecuteAsync($"CREATE DATABASE {name} TEMPLATE {Template}", cancellationToken);
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
