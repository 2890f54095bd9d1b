namespace StatusUpdates.Data.Schema;

/// <summary>A stored position over a user's log: what of it its owner has been told. All times are the database's.</summary>
public sealed class DurableCursorRow
{
    /// <summary>Who is told, such as <c>webhook:wh-…</c> or <c>telegram-123:456</c>.</summary>
    public required string Owner { get; init; }

    /// <summary>Which service tells: the part of <see cref="Owner"/> before the colon.</summary>
    public required string Kind { get; init; }

    /// <summary>Whose log.</summary>
    public required string UserId { get; init; }

    /// <summary>The last entry that was told; 0 before the first.</summary>
    public required long LastSeq { get; init; }

    /// <summary>The check of that entry (<see cref="Messaging.LogPosition"/>), as an int; null where it is not known.</summary>
    public int? LastCheck { get; init; }

    /// <summary>What the service keeps beside the position, a JSON object; null when there is nothing.</summary>
    public string? State { get; init; }

    /// <summary>Whether it rests until its owner says otherwise.</summary>
    public required bool Paused { get; init; }

    /// <summary>Whether telling fails at present: such cursors have slots of their own.</summary>
    public required bool Troubled { get; init; }

    /// <summary>Until when new entries wait.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>When there is something to do even without new entries; null when there is not.</summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>Fencing token: rises with every claim, and a holder's writes count only while it is theirs.</summary>
    public required long Epoch { get; init; }

    /// <summary>When it was claimed last: who has waited longest comes first.</summary>
    public DateTimeOffset? ClaimedAt { get; init; }

    /// <summary>Rises when something beside the log asks for a look (a test, a replay): a holder that began before it looks again.</summary>
    public required long Nudges { get; init; }

    /// <summary>Until when its holder has it; null when nobody does.</summary>
    public DateTimeOffset? LeaseExpiresAt { get; init; }
}
