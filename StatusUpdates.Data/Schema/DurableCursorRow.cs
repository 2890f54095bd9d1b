namespace StatusUpdates.Data.Schema;

/// <summary>A stored position in a user's log: how much of it a recipient has received. All times are the database's.</summary>
public sealed class DurableCursorRow
{
    /// <summary>The recipient, such as <c>webhook:wh-…</c> or <c>telegram-123:456</c>.</summary>
    public required string Owner { get; init; }

    /// <summary>The delivering service: the part of <see cref="Owner"/> before the colon.</summary>
    public required string Kind { get; init; }

    /// <summary>The owner of the log.</summary>
    public required string UserId { get; init; }

    /// <summary>The last entry delivered; 0 before the first.</summary>
    public required long LastSeq { get; init; }

    /// <summary>The check of that entry (<see cref="Messaging.LogPosition"/>), as an int; null before the first.</summary>
    public int? LastCheck { get; init; }

    /// <summary>What the service stores along with the position, a JSON object; null for nothing.</summary>
    public string? State { get; init; }

    /// <summary>Whether it is paused until its owner resumes it.</summary>
    public required bool Paused { get; init; }

    /// <summary>Whether deliveries currently fail: such cursors have slots of their own.</summary>
    public required bool Troubled { get; init; }

    /// <summary>The time before which new entries are not delivered.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>When it is due even without new entries; null if it is not.</summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>Fencing token: increases with every claim; writes of former holders are refused.</summary>
    public required long Epoch { get; init; }

    /// <summary>When it was last claimed: the oldest claim goes first.</summary>
    public DateTimeOffset? ClaimedAt { get; init; }

    /// <summary>Increases when a run is requested for a reason outside the log (a test, a replay): an earlier holder runs once more.</summary>
    public required long Nudges { get; init; }

    /// <summary>The end of its holder's lease; null without a holder.</summary>
    public DateTimeOffset? LeaseExpiresAt { get; init; }
}
