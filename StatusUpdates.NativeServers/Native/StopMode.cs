namespace StatusUpdates.NativeServers.Native;

/// <summary>How Postgres stops; the names are those of pg_ctl.</summary>
public enum StopMode
{
    /// <summary>Rolls back open transactions, disconnects all clients and writes a checkpoint (SIGINT).</summary>
    Fast,

    /// <summary>Stops at once; the next start recovers from the WAL, as after a crash (SIGQUIT).</summary>
    Immediate,

    /// <summary>Waits until all clients have disconnected (SIGTERM).</summary>
    Smart,
}
