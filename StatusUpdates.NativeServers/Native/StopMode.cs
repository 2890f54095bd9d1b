namespace StatusUpdates.NativeServers.Native;

/// <summary>How Postgres stops; the names are those of pg_ctl, the values the signals.</summary>
public enum StopMode
{
    /// <summary>Rolls back open transactions, disconnects all clients and writes a checkpoint.</summary>
    Fast = Posix.SigInt,

    /// <summary>Stops at once; the next start recovers from the WAL, as after a crash.</summary>
    Immediate = Posix.SigQuit,
}
