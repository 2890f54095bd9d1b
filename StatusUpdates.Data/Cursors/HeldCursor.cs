using Npgsql;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Cursors;

/// <summary>
/// A claimed cursor, for its one holder. Its lease is renewed in the background. Fencing is by the epoch: saves of a former holder are refused.
/// Not thread-safe, except for <see cref="Lost"/>.
/// </summary>
public sealed class HeldCursor : IDisposable
{
    private readonly CursorStore _store;
    private readonly StatusLog _log;
    private readonly CancellationTokenSource _lost = new();
    private CursorSave _stored;

    internal HeldCursor(DurableCursor cursor, CursorStore store, StatusLog log)
    {
        _store = store;
        _log = log;
        Claimed = cursor;
        _stored = new CursorSave(cursor.Position) { State = cursor.State, IsTroubled = cursor.IsTroubled };
        Lost = _lost.Token;
    }

    /// <summary>The recipient.</summary>
    public string Owner => Claimed.Owner;

    /// <summary>The owner of the log.</summary>
    public string UserId => Claimed.UserId;

    /// <summary>The last entry whose delivery was acknowledged and stored.</summary>
    public LogPosition Position => _stored.Position;

    /// <summary>What was stored along with the position, a JSON object; null for nothing.</summary>
    public string? State => _stored.State;

    /// <summary>Whether recent deliveries failed.</summary>
    public bool IsTroubled => _stored.IsTroubled;

    /// <summary>Canceled when the cursor has another holder, was paused or was deleted: work on it must stop.</summary>
    public CancellationToken Lost { get; }

    /// <summary>The claim's fencing token, for statements that must do nothing once the cursor has another holder.</summary>
    public long Epoch => Claimed.Epoch;

    internal DurableCursor Claimed { get; }

    internal bool IsReleased => _stored.Release;

    /// <summary>
    /// Reads what follows the position. If the page does not continue from there (<see cref="LogPage.Continues"/>), entries are missing or it is
    /// another log: the recipient must get a resync, and the position moves to the head.
    /// </summary>
    /// <param name="limit">The maximum number of entries.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public Task<LogPage> ReadAsync(int limit, CancellationToken cancellationToken) =>
        _log.ReadAfterAsync(UserId, Position.Seq, limit, cancellationToken);

    /// <summary>
    /// Stores the position and what goes with it. Takes no token: what was acknowledged must be stored in any case, and the database's timeouts limit
    /// the wait.
    /// </summary>
    /// <param name="save">What to store.</param>
    /// <param name="effect">Stored in the same statement.</param>
    /// <exception cref="CursorLostException">The cursor is no longer held here; nothing was stored.</exception>
    /// <exception cref="NpgsqlException">The database did not execute it in time, or refused it.</exception>
    public async Task SaveAsync(CursorSave save, CursorEffect? effect = null)
    {
        try
        {
            await _store.SaveAsync(Claimed, save, effect, CancellationToken.None);
        }
        catch (CursorLostException)
        {
            Lose();
            throw;
        }

        _stored = save;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lost)
        {
            _lost.Dispose();
        }
    }

    /// <summary>Signals to the holder that the cursor is lost. Callable from any thread, also after the run has ended.</summary>
    internal void Lose()
    {
        lock (_lost)
        {
            try
            {
                _lost.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // The run has ended meanwhile.
            }
        }
    }
}
