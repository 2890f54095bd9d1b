using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Schema;

/// <summary>
/// How many generations a user has of one type and status: totals of lists without counting. Changed in the same statement as the
/// generations, and only when a status changes.
/// </summary>
public sealed class GenerationCount
{
    /// <summary>The user.</summary>
    public required string UserId { get; init; }

    public required string Type { get; init; }

    public required GenerationStatus Status { get; init; }

    /// <summary>How many; a row is kept at 0.</summary>
    public required long Count { get; init; }
}
