namespace StatusUpdates.NativeServers.Native;

/// <summary>Options of a <see cref="PostgresServer"/>. By default its data is deleted when it is disposed.</summary>
public sealed record PostgresServerOptions
{
    /// <summary>
    /// The server's own folder, with <c>data</c>, <c>password</c> and <c>server.json</c>; created and initialized if necessary. Null: a temporary
    /// one, deleted with the server.
    /// </summary>
    public string? Directory { get; init; }

    /// <summary>
    /// The installation to run. Null: one of the major version that created the data, or without data <see cref="PostgresBinaries.FindAsync"/>'s.
    /// </summary>
    public PostgresBinaries? Binaries { get; init; }

    /// <summary>The superuser's name; used when the data is created.</summary>
    public string UserName { get; init; } = "postgres";

    /// <summary>Server settings by name, as in postgresql.conf. They extend or override the defaults.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();
}
