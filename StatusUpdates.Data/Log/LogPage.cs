using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>The bounds of a user's log at one moment: an empty log is (1, 0).</summary>
/// <param name="Oldest">Position of the first entry that is still there.</param>
/// <param name="Last">Position of the latest entry: the head.</param>
public readonly record struct LogBounds(long Oldest, long Last)
{
    /// <summary>A log that nothing was written to.</summary>
    public static LogBounds Empty => new(1, 0);

    /// <summary>Whether everything after <paramref name="cursor"/> can be told: false means <c>resync</c>.</summary>
    public bool Covers(long cursor) => cursor >= Oldest - 1 && cursor <= Last;
}

/// <summary>A page of a user's log with the bounds it had, from one snapshot.</summary>
/// <param name="Bounds">The log's bounds.</param>
/// <param name="Items">Entries after the cursor, in order, without gaps.</param>
public sealed record LogPage(LogBounds Bounds, IReadOnlyList<StatusUpdate> Items);

/// <summary>A page of one generation's updates.</summary>
/// <param name="Items">Its updates after the cursor, in order.</param>
/// <param name="IsComplete">Whether retention has taken none of those after the cursor.</param>
public sealed record GenerationHistory(IReadOnlyList<StatusUpdate> Items, bool IsComplete);
