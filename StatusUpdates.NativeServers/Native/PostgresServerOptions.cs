namespace StatusUpdates.NativeServers.Native;

/// <summary>How to run a <see cref="PostgresServer"/>. The defaults give a server that is deleted when it is disposed.</summary>
public sealed class PostgresServerOptions
{
    /// <summary>
    /// The server's own folder: it holds <c>data</c>, <c>password</c> and <c>server.json</c>, and is created and initialised if need be.
    /// Null: a temporary one, deleted with the server.
    /// </summary>
    public string? Directory { get; init; }

    /// <summary>The installation to run; null for the one that made the data, else <see cref="PostgresBinaries.FindAsync"/>'s.</summary>
    public PostgresBinaries? Binaries { get; init; }

    /// <summary>The superuser's name, when the data is made.</summary>
    public string UserName { get; init; } = "postgres";

    /// <summary>The TCP port on 127.0.0.1; 0 for a free one.</summary>
    public int Port { get; init; }

    /// <summary>Server settings beside or instead of the defaults, by name, as in postgresql.conf.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Takes each line that the server logs. Called from any thread.</summary>
    public Action<string>? Output { get; init; }

    /// <summary>Deleted by the guard if this process dies; null for <see cref="Directory"/> if that is temporary.</summary>
    internal string? TemporaryDirectory { get; init; }

    /// <summary>How long a start may take, recovery included.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(60);
}
