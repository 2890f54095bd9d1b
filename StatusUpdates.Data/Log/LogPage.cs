using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>The bounds of a user's log at one moment: a log that was never written to is (1, 0).</summary>
/// <param name="Oldest">Position of the oldest remaining entry; one above <paramref name="Last"/> if retention has removed them all.</param>
/// <param name="Last">Position of the latest entry: the head.</param>
/// <param name="LastCheck">The check of the latest entry; null if there was never one.</param>
public readonly record struct LogBounds(long Oldest, long Last, uint? LastCheck = null)
{
    /// <summary>A log that was never written to.</summary>
    public static LogBounds Empty => new(1, 0);

    /// <summary>The latest entry.</summary>
    public LogPosition Head => new(Last, LastCheck);

    /// <summary>
    /// Whether <paramref name="cursor"/> is within the log, and all entries after it are still there: false means <c>resync</c>. The entry at
    /// the cursor itself is not needed, hence <c>Oldest - 1</c>.
    /// </summary>
    public bool Covers(long cursor) => cursor >= Oldest - 1 && cursor <= Last;

    /// <summary>
    /// Whether what is read after <paramref name="cursor"/> continues from there: false means <c>resync</c>, because entries are missing, or because
    /// the entry at its position (<paramref name="actual"/>) is a different one: it is another log.
    /// </summary>
    public bool Continues(LogPosition cursor, LogPosition actual) => Covers(cursor.Seq) && actual.Agrees(cursor);
}

/// <summary>A page of a user's log, with the log's bounds from the same snapshot.</summary>
/// <param name="Bounds">The log's bounds.</param>
/// <param name="Cursor">The requested position, with the check of the entry there; without a check if there is none.</param>
/// <param name="Items">Entries after the cursor, in order, without gaps.</param>
public sealed record LogPage(LogBounds Bounds, LogPosition Cursor, IReadOnlyList<StatusUpdate> Items)
{
    /// <summary>Whether <see cref="Items"/> continue from <paramref name="cursor"/>: see <see cref="LogBounds.Continues"/>.</summary>
    public bool Continues(LogPosition cursor) => Bounds.Continues(cursor, Cursor);
}

/// <summary>A page of one generation's updates.</summary>
/// <param name="Items">Its updates after the cursor, in order.</param>
/// <param name="IsComplete">Whether retention has removed none of those after the cursor.</param>
public sealed record GenerationHistory(IReadOnlyList<StatusUpdate> Items, bool IsComplete);
