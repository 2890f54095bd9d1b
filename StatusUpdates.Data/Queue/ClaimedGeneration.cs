using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Queue;

/// <summary>A generation that this worker holds now, as attempt <see cref="Attempt"/>.</summary>
public sealed record ClaimedGeneration
{
    /// <summary>The generation.</summary>
    public required string Id { get; init; }

    /// <summary>Its owner.</summary>
    public required string UserId { get; init; }

    /// <summary>What was asked for.</summary>
    public required GenerationType Type { get; init; }

    /// <summary>Which processor does it.</summary>
    public required GenerationTask Task { get; init; }

    /// <summary>The user's text.</summary>
    public required string Prompt { get; init; }

    /// <summary>The processor's options, a JSON object.</summary>
    public string? Options { get; init; }

    /// <summary>The fencing token: goes into every change.</summary>
    public required int Attempt { get; init; }

    /// <summary>How many attempts have failed so far.</summary>
    public required int Failures { get; init; }

    /// <summary>How long until it is of no more use, when it was claimed; by the database's clock, which no worker's need agree with.</summary>
    public TimeSpan? TimeLeft { get; init; }

    /// <summary>The trace of the submission (W3C Trace Context).</summary>
    public string? TraceParent { get; init; }
}

/// <summary>What a claim brought.</summary>
/// <param name="Claimed">The generations to work on.</param>
/// <param name="Updates">All updates it committed, to be announced: those of the claimed, and of expired and overdue ones that came to their end.</param>
/// <param name="MayHaveMore">Whether another claim, made at once, may find more to start. What a limit held back is not meant.</param>
/// <param name="IsSwept">Whether it looked for expired leases and overdue generations, and ended all that were to end.</param>
public sealed record ClaimResult(
    IReadOnlyList<ClaimedGeneration> Claimed, IReadOnlyList<StatusUpdate> Updates, bool MayHaveMore = false, bool IsSwept = false);

/// <summary>A lease that a worker holds.</summary>
/// <param name="GenerationId">The generation.</param>
/// <param name="Attempt">The attempt that holds it. One that the worker does not know of came from a claim whose answer was lost: it is handed back.</param>
/// <param name="IsCancelRequested">Whether its owner asked to stop it.</param>
/// <param name="IsExtended">Whether it was extended; not while somebody has the generation locked.</param>
public sealed record HeldLease(string GenerationId, int Attempt, bool IsCancelRequested, bool IsExtended = true);
