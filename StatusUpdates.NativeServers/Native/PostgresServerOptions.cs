namespace StatusUpdates.NativeServers.Native;

/// <summary>Options of a <see cref="PostgresServer"/>. By default its data is deleted when it is disposed.</summary>
public sealed class PostgresServerOptions
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

    /// <summary>The TCP port on 127.0.0.1; 0 for a free one.</summary>
    public int Port { get; init; }

    /// <summary>Server settings by name, as in postgresql.conf. They extend or override the defaults.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Receives each line that the server logs. Called from any thread.</summary>
    public Action<string>? Output { get; init; }

    /// <summary>The folder that the guard deletes if this process dies; null for the server's own folder if that is temporary.</summary>
    internal string? TemporaryDirectory { get; init; }

    /// <summary>How long a start may take, including recovery.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(60);
}
