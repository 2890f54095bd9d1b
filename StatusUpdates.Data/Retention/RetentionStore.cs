using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Data.Retention;

/// <summary>Removes what is old enough, one pass at a time in the whole system. Thread-safe; one instance serves a process.</summary>
public sealed class RetentionStore(StatusDatabase database)
{
    /// <summary>Begins a pass. It has a connection of its own until it is disposed of, and the turn as long as that connection lives.</summary>
    /// <returns>Null while another process has the turn.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<RetentionPass?> TryBeginAsync(CancellationToken cancellationToken = default) =>
        await SessionLock.TryTakeAsync(database, SessionLock.Retention, cancellationToken) is { } turn ? new RetentionPass(turn) : null;
}
