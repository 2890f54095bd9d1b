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

    private SessionLock(NpgsqlConnection connection, long key)
    {
        Connection = connection;
        _key = key;
    }

    /// <summary>The connection that holds the lock.</summary>
    public NpgsqlConnection Connection { get; }

    /// <summary>Takes a lock, on a connection of its own.</summary>
    /// <returns>Null while another process has it.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public static async Task<SessionLock?> TryTakeAsync(StatusDatabase database, long key, CancellationToken cancellationToken)
    {
        var connection = await database.OpenSessionAsync(cancellationToken);
        try
        {
            await using var command = new NpgsqlCommand("SELECT pg_try_advisory_lock($1)", connection);
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = key });
            if (await command.ExecuteScalarAsync(cancellationToken) is true)
            {
                var taken = new SessionLock(connection, key);
                connection = null;
                return taken;
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

    /// <summary>Releases the lock; if the connection is lost, it was released already.</summary>
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
}
