using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Data.Retention;

/// <summary>Removes what is old enough, one pass at a time in the whole system. Thread-safe; one instance serves a process.</summary>
public sealed class RetentionStore(StatusDatabase database)
{
    // Any number will do, as long as nobody else locks it in this database.
    internal const long LockKey = 0x5354_4154_5553_0002;

    /// <summary>Begins a pass. It has a connection of its own until it is disposed of, and the turn as long as that connection lives.</summary>
    /// <returns>Null while another process has the turn.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<RetentionPass?> TryBeginAsync(CancellationToken cancellationToken = default)
    {
        var connection = await database.OpenSessionAsync(cancellationToken);
        try
        {
            await using var command = new NpgsqlCommand("SELECT pg_try_advisory_lock($1)", connection);
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = LockKey });
            if (await command.ExecuteScalarAsync(cancellationToken) is true)
            {
                var pass = new RetentionPass(connection);
                connection = null;
                return pass;
            }

            return null;
        }
        finally
        {
            if (connection is not null)
            {
                await connection.DisposeAsync();
            }
        }
    }
}
