using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Data.Telegram;

/// <summary>Gives one process at a time the turn to ask Telegram for commands: it hands them out to one asker alone. Thread-safe.</summary>
public sealed class TelegramTurns(StatusDatabase database)
{
    /// <summary>Takes a bot's turn, with a connection of its own.</summary>
    /// <returns>Null while another process has it.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<TelegramTurn?> TryTakeAsync(long botId, CancellationToken cancellationToken = default) =>
        await SessionLock.TryTakeAsync(database, KeyOf(botId), cancellationToken) is { } held ? new TelegramTurn(held) : null;

    internal static long KeyOf(long botId) => SessionLock.TelegramCommands ^ (botId << 8);
}

/// <summary>The turn, held as long as its connection lives. One caller at a time.</summary>
public sealed class TelegramTurn : IAsyncDisposable
{
    private readonly SessionLock _held;

    internal TelegramTurn(SessionLock held) => _held = held;

    /// <summary>Returns if the turn is still held.</summary>
    /// <exception cref="NpgsqlException">The connection is lost, and the turn with it.</exception>
    /// <exception cref="InvalidOperationException">The connection was lost before.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT 1", _held.Connection);
        await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <summary>Gives the turn back; a connection that is lost has given it back already.</summary>
    public ValueTask DisposeAsync() => _held.DisposeAsync();
}
