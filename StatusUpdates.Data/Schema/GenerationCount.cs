using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Schema;

/// <summary>
/// How many generations a user has of one type and status: a list's total without counting. Changed in the same statement as the
/// generations, and only when a status changes.
/// </summary>
public sealed class GenerationCount
{
    /// <summary>Whose.</summary>
    public required string UserId { get; init; }

    /// <summary>Of which type.</summary>
    public required GenerationType Type { get; init; }

    /// <summary>In which status.</summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>How many; a row stays when it is 0.</summary>
    public required long Count { get; init; }
}
