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

/// <summary>Options of a <see cref="RedisServer"/>. By default it has no password.</summary>
public sealed record RedisServerOptions
{
    public RedisFlavor Flavor { get; init; }

    /// <summary>The password that clients must send; null for none. Printable ASCII without spaces, quotes or commas.</summary>
    public string? Password { get; init; }

    /// <summary>The server's own folder, created if necessary. Null: a temporary one. It contains only configuration: no data is saved to disk.</summary>
    public string? Directory { get; init; }
}
