namespace StatusUpdates.NativeServers.Native;

/// <summary>The program that implements Redis's protocol.</summary>
public enum RedisFlavor
{
    /// <summary><c>redis-server</c> if it is in PATH, else Garnet.</summary>
    Auto,

    /// <summary><c>redis-server</c> from PATH.</summary>
    RedisServer,

    /// <summary>Microsoft Garnet, embedded, in its own process.</summary>
    Garnet,
}

/// <summary>Options of a <see cref="RedisServer"/>. By default it has no password and a free port.</summary>
public sealed class RedisServerOptions
{
    public RedisFlavor Flavor { get; init; }

    /// <summary>The TCP port on 127.0.0.1; 0 for a free one.</summary>
    public int Port { get; init; }

    /// <summary>The password that clients must send; null for none. Printable ASCII without spaces, quotes or commas.</summary>
    public string? Password { get; init; }

    /// <summary>The server's own folder, created if necessary. Null: a temporary one. It contains only configuration: no data is saved to disk.</summary>
    public string? Directory { get; init; }

    /// <summary>Receives each line that the server logs. Called from any thread.</summary>
    public Action<string>? Output { get; init; }

    /// <summary>How long a start may take.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
