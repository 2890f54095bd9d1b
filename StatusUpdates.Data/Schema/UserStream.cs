namespace StatusUpdates.Data.Schema;

/// <summary>One user's log: its bounds, and the lock that orders its entries. A row is never deleted.</summary>
public sealed class UserStream
{
    /// <summary>The owner of the log.</summary>
    public required string UserId { get; init; }

    /// <summary>Position of the latest entry.</summary>
    public required long LastSeq { get; init; }

    /// <summary>Position of the oldest remaining entry (one above <see cref="LastSeq"/> if there is none).</summary>
    public required long OldestSeq { get; init; }

    /// <summary>The check of the latest entry (<see cref="Messaging.LogPosition"/>), as an int.</summary>
    public required int LastCheck { get; init; }

    /// <summary>
    /// What <see cref="LastCheck"/> was before the latest submission, which announces it as its predecessor's. Stored only because the submission's
    /// statement can return the new row, but not the old one.
    /// </summary>
    public int? AfterCheck { get; init; }

    /// <summary>Position of the latest entry that retention removed; null if it has removed none.</summary>
    public long? TrimmedSeq { get; init; }

    /// <summary>The check of the entry <see cref="TrimmedSeq"/>, where a cursor may still be.</summary>
    public int? TrimmedCheck { get; init; }
}
