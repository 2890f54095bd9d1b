using System.Globalization;
using Npgsql;

namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>A PostgreSQL server.</summary>
public sealed class PostgresServerResource : Resource, IConnectionProperties
{
    internal PostgresServerResource(string name, int? port)
        : base(name)
    {
        Port = port;
        Address = new(name);
    }

    internal int? Port { get; }

    /// <summary>Whether the data outlives the run.</summary>
    internal bool HasDataVolume { get; set; }

    internal ConnectionAddress<NpgsqlConnectionStringBuilder> Address { get; }

    IEnumerable<(string Name, string Value)> IConnectionProperties.ConnectionProperties => PropertiesOf(Address.Value, database: null);

    public async ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default) =>
        (await Address.WhenKnownAsync(cancellationToken)).ConnectionString;

    internal static IEnumerable<(string Name, string Value)> PropertiesOf(NpgsqlConnectionStringBuilder server, string? database)
    {
        var port = server.Port.ToString(CultureInfo.InvariantCulture);
        var path = database is null ? "" : $"/{Uri.EscapeDataString(database)}";
        yield return ("HOST", server.Host ?? "");
        yield return ("PORT", port);
        yield return ("USERNAME", server.Username ?? "");
        yield return ("PASSWORD", server.Password ?? "");
        yield return ("URI", $"postgresql://{server.Username}:{Uri.EscapeDataString(server.Password ?? "")}@{server.Host}:{port}{path}");
        yield return ("JDBCCONNECTIONSTRING", $"jdbc:postgresql://{server.Host}:{port}{path}");
        if (database is not null)
        {
            yield return ("DATABASENAME", database);
        }
    }
}

/// <summary>A database on a <see cref="PostgresServerResource"/>, created if need be.</summary>
public sealed class PostgresDatabaseResource : Resource, IConnectionProperties
{
    internal PostgresDatabaseResource(string name, string databaseName, PostgresServerResource parent)
        : base(name)
    {
        DatabaseName = databaseName;
        Parent = parent;
    }

    public string DatabaseName { get; }

    public PostgresServerResource Parent { get; }

    IEnumerable<(string Name, string Value)> IConnectionProperties.ConnectionProperties =>
        PostgresServerResource.PropertiesOf(Parent.Address.Value, DatabaseName);

    /// <summary>For a server that has its address.</summary>
    internal string ConnectionString => new NpgsqlConnectionStringBuilder(Parent.Address.Value.ConnectionString) { Database = DatabaseName }.ConnectionString;

    public async ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default)
    {
        await Parent.Address.WhenKnownAsync(cancellationToken);
        return ConnectionString;
    }
}
