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
    public required string Type { get; init; }

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
