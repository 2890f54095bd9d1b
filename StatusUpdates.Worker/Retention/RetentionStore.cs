using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Worker.Retention;

/// <summary>Starts retention passes, one at a time in the whole system. Thread-safe; one instance serves a process.</summary>
internal sealed class RetentionStore(StatusDatabase database)
{
    /// <summary>Begins a pass, with a connection and a lock of its own. The lock is held as long as the connection lives.</summary>
    /// <returns>Null while another process has the lock.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<RetentionPass?> TryBeginAsync(CancellationToken cancellationToken = default) =>
        await SessionLock.TryTakeAsync(database, SessionLock.Retention, cancellationToken) is { } taken ? new RetentionPass(taken) : null;
}
