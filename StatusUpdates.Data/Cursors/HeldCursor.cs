using Npgsql;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Cursors;

/// <summary>
/// A cursor in the hands of its one holder. The lease is renewed beside; what fences is the epoch: whatever a former holder still stores
/// is refused. Not thread-safe, but for <see cref="Lost"/>.
/// </summary>
public sealed class HeldCursor : IDisposable
{
    private readonly CursorStore _store;
    private readonly StatusLog _log;
    private readonly CancellationTokenSource _lost = new();

    internal HeldCursor(DurableCursor cursor, CursorStore store, StatusLog log)
    {
        _store = store;
        _log = log;
        Claimed = cursor;
        Position = cursor.Position;
        State = cursor.State;
        IsTroubled = cursor.IsTroubled;
        Lost = _lost.Token;
    }

    /// <summary>Who is told.</summary>
    public string Owner => Claimed.Owner;

    /// <summary>Whose log.</summary>
    public string UserId => Claimed.UserId;

    /// <summary>The last entry whose telling was acknowledged and stored.</summary>
    public LogPosition Position { get; private set; }

    /// <summary>What was stored beside it, a JSON object; null for nothing.</summary>
    public string? State { get; private set; }

    /// <summary>Whether telling failed lately.</summary>
    public bool IsTroubled { get; private set; }

    /// <summary>Canceled when the cursor is another one's, or nobody's: what is under way for it is to end.</summary>
    public CancellationToken Lost { get; }

    internal DurableCursor Claimed { get; }

    internal bool IsReleased { get; private set; }

    /// <summary>
    /// Reads what comes after the position. Where the page does not continue from the position (<see cref="LogPage.Continues"/>), entries are gone or
    /// the log is another one: its owner is to be told so, and the position goes to the head.
    /// </summary>
    /// <param name="limit">How many entries at most.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public Task<LogPage> ReadAsync(int limit, CancellationToken cancellationToken) =>
        _log.ReadAfterAsync(UserId, Position.Seq, limit, cancellationToken);

    /// <summary>
    /// Stores the position, with what has to be stored together with it. Takes no token: what was acknowledged is to be stored whatever
    /// happens meanwhile, and the database's time limits bound it.
    /// </summary>
    /// <param name="save">What to store.</param>
    /// <param name="effect">Stored in the same statement.</param>
    /// <exception cref="CursorLostException">The cursor is no longer held here; nothing was stored.</exception>
    /// <exception cref="NpgsqlException">The database did not take it in time, or refused it.</exception>
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

        Position = save.Position;
        State = save.State;
        IsTroubled = save.IsTroubled;
        IsReleased = save.Release;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lost)
        {
            _lost.Dispose();
        }
    }

    /// <summary>Tells the holder that it is none any more. Callable by others, also after the end.</summary>
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
                // Its run has ended meanwhile.
            }
        }
    }
}
