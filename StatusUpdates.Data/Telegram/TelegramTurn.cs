using System.Data;
using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Data.Telegram;

/// <summary>Gives one process at a time the turn to ask Telegram for commands: it hands them out to one asker alone. Thread-safe.</summary>
public sealed class TelegramTurns(StatusDatabase database)
{
    // Any number will do, as long as nobody else locks it in this database: the others end in other digits.
    private const long LockKey = 0x5354_4154_5553_0004;

    /// <summary>Takes a bot's turn, with a connection of its own.</summary>
    /// <returns>Null while another process has it.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<TelegramTurn?> TryTakeAsync(long botId, CancellationToken cancellationToken = default)
    {
        var key = KeyOf(botId);
        var connection = await database.OpenSessionAsync(cancellationToken);
        try
        {
            await using var command = new NpgsqlCommand("SELECT pg_try_advisory_lock($1)", connection);
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = key });
            if (await command.ExecuteScalarAsync(cancellationToken) is true)
            {
                var turn = new TelegramTurn(connection, key);
                connection = null;
                return turn;
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

    internal static long KeyOf(long botId) => LockKey ^ (botId << 8);
}

/// <summary>The turn, held as long as its connection lives. One caller at a time.</summary>
public sealed class TelegramTurn : IAsyncDisposable
{
    private readonly NpgsqlConnection _connection;
    private readonly long _key;

    internal TelegramTurn(NpgsqlConnection connection, long key)
    {
        _connection = connection;
        _key = key;
    }

    /// <summary>Returns if the turn is still held.</summary>
    /// <exception cref="NpgsqlException">The connection is lost, and the turn with it.</exception>
    /// <exception cref="InvalidOperationException">The connection was lost before.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT 1", _connection);
        await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <summary>Gives the turn back; a connection that is lost has given it back already.</summary>
    public async ValueTask DisposeAsync()
    {
        await using (_connection)
        {
            if (_connection.State == ConnectionState.Open)
            {
                await using var command = new NpgsqlCommand("SELECT pg_advisory_unlock($1)", _connection);
                command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = _key });
                await command.ExecuteNonQueryAsync(CancellationToken.None);
            }
        }
    }
}
