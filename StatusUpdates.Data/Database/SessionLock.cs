using System.Data;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>
/// An advisory lock that one process holds at a time, as long as its connection lives. The holder may use the connection, for statements that
/// must be under the lock. Not thread-safe.
/// </summary>
public sealed class SessionLock : IAsyncDisposable
{
    // Arbitrary numbers: distinct, and used by nobody else in this database.

    /// <summary>Held while the schema is migrated.</summary>
    public const long Migrations = 0x5354_4154_5553_0001;

    /// <summary>Held during a retention pass.</summary>
    public const long Retention = 0x5354_4154_5553_0002;

    /// <summary>Held while the Data Protection keys are loaded, and the first one is created.</summary>
    public const long DataProtectionKeys = 0x5354_4154_5553_0003;

    /// <summary>Held while Telegram is polled for commands; each bot's number is derived from this one.</summary>
    public const long TelegramCommands = 0x5354_4154_5553_0004;

    private readonly long _key;

    /// <summary>A lock that this connection holds already.</summary>
    internal SessionLock(NpgsqlConnection connection, long key)
    {
        Connection = connection;
        _key = key;
    }

    /// <summary>The connection that holds the lock.</summary>
    public NpgsqlConnection Connection { get; }

    /// <summary>Takes a lock, on a connection of its own.</summary>
    /// <returns>Null while another process has it.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public static Task<SessionLock?> TryTakeAsync(StatusDatabase database, long key, CancellationToken cancellationToken) =>
        TakeAsync(database, "SELECT pg_try_advisory_lock($1)", key, cancellationToken);

    /// <summary>Like <see cref="TryTakeAsync"/>, but waits while another process has the lock, as long as a session waits for any lock.</summary>
    /// <exception cref="NpgsqlException">The database does not answer, or the wait took too long.</exception>
    public static async Task<SessionLock> TakeAsync(StatusDatabase database, long key, CancellationToken cancellationToken) =>
        (await TakeAsync(database, "SELECT pg_advisory_lock($1)", key, cancellationToken))!;

    /// <summary>
    /// Releases the lock, without waiting for the server to notice that the session has ended; if the connection is lost, it was released already.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await using (Connection)
        {
            if (Connection.State == ConnectionState.Open)
            {
                await using var command = new NpgsqlCommand("SELECT pg_advisory_unlock($1)", Connection);
                command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = _key });
                await command.ExecuteNonQueryAsync(CancellationToken.None);
            }
        }
    }

    private static async Task<SessionLock?> TakeAsync(StatusDatabase database, string sql, long key, CancellationToken cancellationToken)
    {
        var connection = await database.OpenSessionAsync(cancellationToken);
        try
        {
            await using var command = new NpgsqlCommand(sql, connection);
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = key });
            if (await command.ExecuteScalarAsync(cancellationToken) is not false)
            {
                return new SessionLock(connection, key);
            }
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }

        await connection.DisposeAsync();
        return null;
    }
}
