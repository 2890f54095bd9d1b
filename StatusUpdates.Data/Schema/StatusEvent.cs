using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Schema;

/// <summary>One entry of a user's log. Append-only; outlives its generation.</summary>
public sealed class StatusEvent
{
    /// <summary>The owner of the log.</summary>
    public required string UserId { get; init; }

    /// <summary>Position in that log: 1, 2, 3, … without gaps, in commit order.</summary>
    public required long Seq { get; init; }

    /// <summary>The generation that changed.</summary>
    public required string GenerationId { get; init; }

    /// <summary>Its type.</summary>
    public required GenerationType Type { get; init; }

    /// <summary>Its new status.</summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>The database's clock, read under the log's lock.</summary>
    public required DateTimeOffset OccurredAt { get; init; }

    /// <summary>Details, a JSON object (<see cref="StatusMetadata"/>); null when there are none.</summary>
    public string? Metadata { get; init; }

    /// <summary>The writer's id of the update.</summary>
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

    /// <summary>The check of that entry (<see cref="Messaging.LogPosition"/>), as an int.</summary>
    public required int LastCheck { get; init; }

    /// <summary>
    /// The check of the entry before the latest submission, which announces it as its predecessor: that statement can return only the row as it is now.
    /// </summary>
    public int? AfterCheck { get; init; }

    /// <summary>The last entry that retention removed; null before the first.</summary>
    public long? TrimmedSeq { get; init; }

    /// <summary>The check of the entry <see cref="TrimmedSeq"/>, where a cursor may still be.</summary>
    public int? TrimmedCheck { get; init; }
}

/// <summary>What a provider rendered.</summary>
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
