namespace StatusUpdates.NativeServers.Native;

/// <summary>How Postgres is asked to stop; the names are pg_ctl's.</summary>
public enum StopMode
{
    /// <summary>Roll back what is open, disconnect everybody, write a checkpoint (SIGINT).</summary>
    Fast,

    /// <summary>Stop at once; the next start recovers from the log, as after a crash (SIGQUIT).</summary>
    Immediate,

    /// <summary>Wait until all clients are gone (SIGTERM).</summary>
    Smart,
}
