using System.Data;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>
/// A lock that one process holds at a time, as long as its connection lives (an advisory lock). The connection is its holder's to use: what
/// is done with it is done under the lock. One caller at a time.
/// </summary>
internal sealed class SessionLock : IAsyncDisposable
{
    // Any numbers will do, as long as no two are alike and nobody else locks them in this database.

    /// <summary>Who brings the schema up to date.</summary>
    public const long Migrations = 0x5354_4154_5553_0001;

    /// <summary>Who removes what is old.</summary>
    public const long Retention = 0x5354_4154_5553_0002;

    /// <summary>Who loads the keys that secrets are encrypted with, and makes the first.</summary>
    public const long FirstKey = 0x5354_4154_5553_0003;

    /// <summary>Who asks Telegram for commands; each bot has a number of its own, made of this one.</summary>
    public const long TelegramCommands = 0x5354_4154_5553_0004;

    private readonly long _key;

    private SessionLock(NpgsqlConnection connection, long key)
    {
        Connection = connection;
        _key = key;
    }

    /// <summary>The session that holds it.</summary>
    public NpgsqlConnection Connection { get; }

    /// <summary>Takes a lock, with a connection of its own.</summary>
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

    /// <summary>Gives it back; a connection that is lost has given it back already.</summary>
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
