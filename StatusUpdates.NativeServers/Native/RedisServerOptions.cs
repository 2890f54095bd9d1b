namespace StatusUpdates.NativeServers.Native;

/// <summary>Which program serves Redis's protocol.</summary>
public enum RedisFlavor
{
    /// <summary><c>redis-server</c> if PATH has it, else Garnet.</summary>
    Auto,

    /// <summary><c>redis-server</c> from PATH.</summary>
    RedisServer,

    /// <summary>Microsoft Garnet, embedded, in a process of its own.</summary>
    Garnet,
}

/// <summary>How to run a <see cref="RedisServer"/>. The defaults give a server without password on a free port.</summary>
public sealed class RedisServerOptions
{
    public RedisFlavor Flavor { get; init; }

    /// <summary>The TCP port on 127.0.0.1; 0 for a free one.</summary>
    public int Port { get; init; }

    /// <summary>The password that clients must send; null for none. Printable ASCII without spaces, quotes or commas.</summary>
    public string? Password { get; init; }

    /// <summary>The server's own folder, created if need be. Null: a temporary one. It holds configuration only: nothing is saved to disk.</summary>
    public string? Directory { get; init; }

    /// <summary>Takes each line that the server logs. Called from any thread.</summary>
    public Action<string>? Output { get; init; }

    /// <summary>How long a start may take.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
