using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Queue;

/// <summary>A generation that this worker has claimed, as attempt <see cref="Attempt"/>.</summary>
public sealed record ClaimedGeneration
{
    /// <summary>The generation.</summary>
    public required string Id { get; init; }

    /// <summary>Its owner.</summary>
    public required string UserId { get; init; }

    /// <summary>Its type.</summary>
    public required string Type { get; init; }

    /// <summary>Its task.</summary>
    public required string Task { get; init; }

    /// <summary>The user's text.</summary>
    public required string Prompt { get; init; }

    /// <summary>The task's options, a JSON object.</summary>
    public string? Options { get; init; }

    /// <summary>The fencing token: required for every change.</summary>
    public required int Attempt { get; init; }

    /// <summary>How many attempts have failed so far.</summary>
    public required int Failures { get; init; }

    /// <summary>The time after which a result is of no use.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The time from the claim to the deadline, by the database's clock; the worker's own clock may differ.</summary>
    public TimeSpan? TimeLeft { get; init; }

    /// <summary>The trace of the submission (W3C Trace Context).</summary>
    public string? TraceParent { get; init; }
}

/// <summary>The result of a claim.</summary>
/// <param name="Claimed">The generations to process.</param>
/// <param name="Updates">All updates it committed, to announce: of the claimed generations, and of expired and overdue ones that it ended.</param>
/// <param name="MayHaveMore">Whether another claim, made at once, may find more to start, not counting what a limit held back.</param>
/// <param name="IsSwept">Whether it looked for expired leases and overdue generations, and ended all that had to end.</param>
public sealed record ClaimResult(
    IReadOnlyList<ClaimedGeneration> Claimed, IReadOnlyList<StatusUpdate> Updates, bool MayHaveMore = false, bool IsSwept = false);

/// <summary>A lease of a worker.</summary>
/// <param name="GenerationId">The generation.</param>
/// <param name="Attempt">The attempt that holds it. If the worker does not know it, the answer to its claim was lost: it is handed back.</param>
/// <param name="IsCancelRequested">Whether its owner requested cancellation.</param>
/// <param name="IsExtended">Whether it was extended; false while somebody has the generation locked.</param>
public sealed record HeldLease(string GenerationId, int Attempt, bool IsCancelRequested, bool IsExtended = true)
{
    /// <summary>How long ago the attempt began, by the database's clock.</summary>
    public TimeSpan RunningFor { get; init; }

    /// <summary>The time until its deadline, by the database's clock; null if there is none.</summary>
    public TimeSpan? TimeLeft { get; init; }
}
