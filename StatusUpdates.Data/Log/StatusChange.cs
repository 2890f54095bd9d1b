using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>What a writer wants to append: a change of one generation.</summary>
public sealed record StatusChange
{
    /// <summary>The generation.</summary>
    public required string GenerationId { get; init; }

    /// <summary>
    /// Its owner, as far as the writer knows. No more than a hint: changes of one user share transactions instead of waiting for each
    /// other's locks.
    /// </summary>
    public string? UserId { get; init; }

    /// <summary>
    /// The status from now on. A running generation that its owner asked to stop does not go back to <c>pending</c>: what is committed
    /// then is <c>canceled</c>.
    /// </summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>The attempt that speaks: the fencing token. Needed for every change of a processing generation.</summary>
    public int? Attempt { get; init; }

    /// <summary>Names this update (UUIDv7). A repeat with the same id is answered with the first one's outcome.</summary>
    public Guid UpdateId { get; init; } = Guid.CreateVersion7();

    /// <summary>How far it is, 0 to 100 percent; null leaves it as it is.</summary>
    public int? Progress { get; init; }

    /// <summary>Where the results are, with <c>completed</c>.</summary>
    public IReadOnlyList<string>? ResultUrls { get; init; }

    /// <summary>What it cost, in tokens; null leaves it as it is.</summary>
    public long? TokensUsed { get; init; }

    /// <summary>Why it failed, or is to be tried again. Cleaned and bounded when written.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>With <c>pending</c>: how long no worker takes it. The update tells until when, by the database's clock (<c>retryAt</c>).</summary>
    public TimeSpan RunAfter { get; init; }

    /// <summary>Whether this attempt counts against the limit. A hand-back does not.</summary>
    public bool CountsAsFailure { get; init; }

    /// <summary>The trace it belongs to (W3C Trace Context).</summary>
    public string? TraceParent { get; init; }
}

/// <summary>Why a change was refused. The log and the generation are as if it had never been tried.</summary>
public enum RefusalReason
{
    /// <summary>There is no such generation.</summary>
    NotFound,

    /// <summary>It has come to its end already.</summary>
    Terminal,

    /// <summary>Another attempt has begun, or the generation went back to the queue: the writer lost its lease.</summary>
    StaleAttempt,

    /// <summary>The lifecycle has no such step.</summary>
    NotAllowed,
}

/// <summary>The outcome of one change.</summary>
/// <param name="Update">The committed update, with its <c>seq</c>; null when refused.</param>
/// <param name="Refusal">Why not; null when committed.</param>
/// <param name="CurrentStatus">With a refusal: the generation's status; null when there is no such generation.</param>
public sealed record AppendResult(StatusUpdate? Update, RefusalReason? Refusal, GenerationStatus? CurrentStatus)
{
    /// <summary>Whether it is in the log, durably.</summary>
    public bool IsCommitted => Update is not null;
}
