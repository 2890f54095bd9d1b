using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>A change of one generation, to be appended to the log.</summary>
public sealed record StatusChange
{
    /// <summary>The generation's id.</summary>
    public required string GenerationId { get; init; }

    /// <summary>
    /// The generation's owner, if the writer knows it. Only a hint, by which changes of one user share transactions instead of waiting for each
    /// other's locks.
    /// </summary>
    public string? UserId { get; init; }

    /// <summary>
    /// The new status. A running generation whose cancellation was requested does not return to <c>pending</c>: it is committed as
    /// <c>canceled</c> instead.
    /// </summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>The attempt that makes the change: the fencing token. Required for every change of a processing generation.</summary>
    public int? Attempt { get; init; }

    /// <summary>
    /// If set, the holder that the attempt's lease must have: for a writer that only claims to hold it. With another holder the change is refused as
    /// one of a stale attempt.
    /// </summary>
    public string? LeaseOwner { get; init; }

    /// <summary>The id of this update (UUIDv7). A repeat with the same id gets the first one's outcome.</summary>
    public Guid UpdateId { get; init; } = Guid.CreateVersion7();

    /// <summary>Progress, 0 to 100 percent; null leaves it unchanged.</summary>
    public int? Progress { get; init; }

    /// <summary>The URLs of the results, with <c>completed</c>.</summary>
    public IReadOnlyList<string>? ResultUrls { get; init; }

    /// <summary>The cost in tokens; null leaves it unchanged.</summary>
    public long? TokensUsed { get; init; }

    /// <summary>Why it failed, or is retried. Cleaned and shortened when written.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>With <c>pending</c>: the delay before it may be claimed. The update contains its end by the database's clock (<c>retryAt</c>).</summary>
    public TimeSpan RunAfter { get; init; }

    /// <summary>Whether this attempt counts against the limit. One that is handed back does not.</summary>
    public bool CountsAsFailure { get; init; }

    /// <summary>The trace it belongs to (W3C Trace Context).</summary>
    public string? TraceParent { get; init; }
}

/// <summary>Why a change was refused. The log and the generation are unchanged.</summary>
public enum RefusalReason
{
    /// <summary>There is no such generation.</summary>
    NotFound,

    /// <summary>It has already ended.</summary>
    Terminal,

    /// <summary>Another attempt has begun, or the generation is back in the queue: the writer lost its lease.</summary>
    StaleAttempt,

    /// <summary>The lifecycle has no such transition.</summary>
    NotAllowed,
}

/// <summary>The outcome of one change.</summary>
/// <param name="Update">The committed update, with its <c>seq</c>; null when refused.</param>
/// <param name="Refusal">The reason; null when committed.</param>
/// <param name="CurrentStatus">With a refusal: the generation's status; null if there is no such generation.</param>
public sealed record AppendResult(StatusUpdate? Update, RefusalReason? Refusal, GenerationStatus? CurrentStatus)
{
    /// <summary>Whether it is in the log, durably.</summary>
    public bool IsCommitted => Update is not null;
}
