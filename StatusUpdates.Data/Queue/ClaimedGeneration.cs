using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Queue;

/// <summary>What a worker asks for.</summary>
public sealed record ClaimRequest
{
    /// <summary>The worker process; unique for each start, so that a restarted one never passes for its predecessor.</summary>
    public required string Owner { get; init; }

    /// <summary>The tasks it can do.</summary>
    public required IReadOnlyList<GenerationTask> Tasks { get; init; }

    /// <summary>How many it can start now.</summary>
    public required int Limit { get; init; }

    /// <summary>For how long it holds them, unless it extends.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>After how many counted failures a generation fails for good.</summary>
    public int MaxFailures { get; init; } = 3;
}

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

    /// <summary>The trace of the submission (W3C Trace Context).</summary>
    public string? TraceParent { get; init; }
}

/// <summary>What a claim brought.</summary>
/// <param name="Claimed">The generations to work on.</param>
/// <param name="Updates">All updates it committed, to be announced: those of the claimed, and of expired ones that came to their end.</param>
public sealed record ClaimResult(IReadOnlyList<ClaimedGeneration> Claimed, IReadOnlyList<StatusUpdate> Updates);

/// <summary>A lease that was extended.</summary>
/// <param name="GenerationId">The generation.</param>
/// <param name="Attempt">The attempt that holds it. One that the worker does not know of came from a claim whose answer was lost: it is handed back.</param>
/// <param name="IsCancelRequested">Whether its owner asked to stop it.</param>
public sealed record HeldLease(string GenerationId, int Attempt, bool IsCancelRequested);
