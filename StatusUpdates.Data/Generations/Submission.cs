using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Generations;

/// <summary>A generation to submit. The caller has checked that its texts contain no U+0000 and no lone surrogates.</summary>
public sealed record Submission
{
    /// <summary>The new generation's id; a repeat after an unknown outcome must keep it.</summary>
    public string GenerationId { get; init; } = "gen-" + Guid.CreateVersion7();

    /// <summary>The id of its first update.</summary>
    public Guid UpdateId { get; init; } = Guid.CreateVersion7();

    /// <summary>Its owner.</summary>
    public required string UserId { get; init; }

    /// <summary>The name of its type: <see cref="GenerationNames"/>. The caller has checked that it is registered.</summary>
    public required string Type { get; init; }

    /// <summary>The name of its task, one of the type's.</summary>
    public required string Task { get; init; }

    /// <summary>The user's text.</summary>
    public required string Prompt { get; init; }

    /// <summary>The task's options, a JSON object.</summary>
    public string? Options { get; init; }

    /// <summary>The client's idempotency key, 1 to 255 printable ASCII characters.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>SHA-256 of the request; required with a key.</summary>
    public byte[]? RequestHash { get; init; }

    /// <summary>The time after which a result is of no use.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The trace it belongs to (W3C Trace Context).</summary>
    public string? TraceParent { get; init; }
}

/// <summary>The outcome of a submission.</summary>
public enum SubmitOutcome
{
    /// <summary>It is now in the queue.</summary>
    Created,

    /// <summary>It was submitted before, with this key or id.</summary>
    Repeated,

    /// <summary>The key was used for a different request.</summary>
    KeyReused,
}

/// <summary>The result of a submission.</summary>
/// <param name="Outcome">New, a repeat, or a conflict.</param>
/// <param name="Generation">The current generation; that of the earlier request for <see cref="SubmitOutcome.KeyReused"/>.</param>
/// <param name="Update">The first update, to announce; only for <see cref="SubmitOutcome.Created"/>.</param>
public sealed record SubmitResult(SubmitOutcome Outcome, Generation Generation, StatusUpdate? Update);

/// <summary>The outcome of a cancellation.</summary>
public enum CancelOutcome
{
    /// <summary>This user has no such generation.</summary>
    NotFound,

    /// <summary>It was pending and is now canceled.</summary>
    Canceled,

    /// <summary>It was canceled before.</summary>
    AlreadyCanceled,

    /// <summary>It is running; its worker was asked to stop.</summary>
    Requested,

    /// <summary>It has completed or failed.</summary>
    Terminal,
}

/// <summary>The result of a cancellation.</summary>
/// <param name="Outcome">Its outcome.</param>
/// <param name="Update">The update to announce; only for <see cref="CancelOutcome.Canceled"/>.</param>
public sealed record CancelResult(CancelOutcome Outcome, StatusUpdate? Update);

/// <summary>Which of a user's generations to list, newest first.</summary>
public sealed record GenerationFilter
{
    /// <summary>The user.</summary>
    public required string UserId { get; init; }

    /// <summary>Only this status.</summary>
    public GenerationStatus? Status { get; init; }

    /// <summary>Only this type.</summary>
    public string? Type { get; init; }

    /// <summary>Created at or after.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Created before (exclusive).</summary>
    public DateTimeOffset? Before { get; init; }

    /// <summary>The maximum number.</summary>
    public required int Limit { get; init; }

    /// <summary>How many to skip.</summary>
    public int Offset { get; init; }

    /// <summary>Only those after (older than) this place; not together with <see cref="Offset"/>.</summary>
    public GenerationListCursor? After { get; init; }
}

/// <summary>A place in a list of generations: the last one of the previous page.</summary>
/// <param name="CreatedAt">When it was submitted.</param>
/// <param name="Id">Its id, for generations of the same instant.</param>
public sealed record GenerationListCursor(DateTimeOffset CreatedAt, string Id);

/// <summary>A page of generations, newest first.</summary>
/// <param name="Items">The page.</param>
/// <param name="Total">How many match the filter in all.</param>
/// <param name="IsMore">Whether more than <see cref="Total"/> match: the rest was not counted.</param>
/// <param name="Next">Where the next page begins; null on the last one.</param>
public sealed record GenerationList(IReadOnlyList<Generation> Items, long Total, bool IsMore, GenerationListCursor? Next);
