using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>The bounds of a user's log at one moment: an empty log is (1, 0).</summary>
/// <param name="Oldest">Position of the first entry that is still there.</param>
/// <param name="Last">Position of the latest entry: the head.</param>
/// <param name="LastCheck">The check of the latest entry; null where it is not known.</param>
public readonly record struct LogBounds(long Oldest, long Last, uint? LastCheck = null)
{
    /// <summary>A log that nothing was written to.</summary>
    public static LogBounds Empty => new(1, 0);

    /// <summary>The latest entry.</summary>
    public LogPosition Head => new(Last, LastCheck);

    /// <summary>Whether everything after <paramref name="cursor"/> can be told: false means <c>resync</c>.</summary>
    public bool Covers(long cursor) => cursor >= Oldest - 1 && cursor <= Last;

    /// <summary>
    /// Whether what is read after <paramref name="cursor"/> follows what its owner has: false means <c>resync</c>, because the log does not reach from
    /// there to here, or something else (<paramref name="standing"/>) stands at its position: it is another log.
    /// </summary>
    public bool Continues(LogPosition cursor, LogPosition standing) => Covers(cursor.Seq) && standing.Agrees(cursor);
}

/// <summary>A page of a user's log with the bounds it had, from one snapshot.</summary>
/// <param name="Bounds">The log's bounds.</param>
/// <param name="Cursor">The position that was asked for, with the check of what stands there; without it where nothing does.</param>
/// <param name="Items">Entries after the cursor, in order, without gaps.</param>
public sealed record LogPage(LogBounds Bounds, LogPosition Cursor, IReadOnlyList<StatusUpdate> Items)
{
    /// <summary>Whether <see cref="Items"/> follow what the owner of <paramref name="cursor"/> has: see <see cref="LogBounds.Continues"/>.</summary>
    public bool Continues(LogPosition cursor) => Bounds.Continues(cursor, Cursor);
}

/// <summary>A page of one generation's updates.</summary>
/// <param name="Items">Its updates after the cursor, in order.</param>
/// <param name="IsComplete">Whether retention has taken none of those after the cursor.</param>
public sealed record GenerationHistory(IReadOnlyList<StatusUpdate> Items, bool IsComplete);
