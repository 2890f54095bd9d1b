using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Bot.Commands;

/// <summary>Lets one process at a time poll Telegram for commands, because Telegram gives each to only one poller. Thread-safe.</summary>
internal sealed class TelegramPollLocks(StatusDatabase database)
{
    /// <summary>Takes a bot's lock, on a connection of its own.</summary>
    /// <returns>Null while another process has it.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<TelegramPollLock?> TryTakeAsync(long botId, CancellationToken cancellationToken = default) =>
        await SessionLock.TryTakeAsync(database, KeyOf(botId), cancellationToken) is { } held ? new TelegramPollLock(held) : null;

    public static long KeyOf(long botId) => SessionLock.TelegramCommands ^ (botId << 8);
}

/// <summary>The lock, held as long as its connection lives. Not thread-safe.</summary>
internal sealed class TelegramPollLock : IAsyncDisposable
{
    private readonly SessionLock _held;

    public TelegramPollLock(SessionLock held) => _held = held;

    /// <summary>Returns if the lock is still held.</summary>
    /// <exception cref="NpgsqlException">The connection is lost, and the lock with it.</exception>
    /// <exception cref="InvalidOperationException">The connection was lost before.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT 1", _held.Connection);
        await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <summary>Releases the lock; if the connection is lost, it was released already.</summary>
    public ValueTask DisposeAsync() => _held.DisposeAsync();
}
