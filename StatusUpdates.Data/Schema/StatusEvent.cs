using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Schema;

/// <summary>One entry of a user's log. Never changed, and removed only by retention; outlives its generation.</summary>
public sealed class StatusEvent
{
    /// <summary>The owner of the log.</summary>
    public required string UserId { get; init; }

    /// <summary>Position in that log: 1, 2, 3, … without gaps, in commit order.</summary>
    public required long Seq { get; init; }

    /// <summary>The generation that changed.</summary>
    public required string GenerationId { get; init; }

    /// <summary>The generation's type.</summary>
    public required GenerationType Type { get; init; }

    /// <summary>The generation's new status.</summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>When it was written: the database's clock, read under the log's lock.</summary>
    public required DateTimeOffset OccurredAt { get; init; }

    /// <summary>Details, a JSON object (<see cref="StatusMetadata"/>); null when there are none.</summary>
    public string? Metadata { get; init; }

    /// <summary>The update's id, chosen by its writer: a repeated write is recognized by it, and its last 32 bits are the update's check.</summary>
    public required Guid UpdateId { get; init; }

    /// <summary>The trace it belongs to (W3C Trace Context).</summary>
    public string? TraceParent { get; init; }
}

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

/// <summary>A result whose content is stored in the database, not behind a provider's link.</summary>
public sealed class GenerationResult
{
    /// <summary>The largest content, in bytes: 4 MiB.</summary>
    public const int MaxBytes = 4 * 1024 * 1024;

    /// <summary>128 random bits as 32 hexadecimal digits: anyone who knows it may read the result.</summary>
    public required string Id { get; init; }

    /// <summary>The generation it was made for.</summary>
    public required string GenerationId { get; init; }

    /// <summary>Its media type (RFC 9110, section 8.3).</summary>
    public required string ContentType { get; init; }

    /// <summary>The content; at most <see cref="MaxBytes"/>.</summary>
    public required byte[] Bytes { get; init; }

    /// <summary>When it was stored.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
}
