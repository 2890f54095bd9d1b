using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Generations;

/// <summary>A generation to be made. Its texts hold no U+0000 and no lone surrogates: the caller has checked them.</summary>
public sealed record Submission
{
    /// <summary>The new generation's id; a repeat after an unknown outcome keeps it.</summary>
    public string GenerationId { get; init; } = "gen-" + Guid.CreateVersion7();

    /// <summary>Id of its first update.</summary>
    public Guid UpdateId { get; init; } = Guid.CreateVersion7();

    /// <summary>Its owner.</summary>
    public required string UserId { get; init; }

    /// <summary>What is asked for.</summary>
    public required GenerationType Type { get; init; }

    /// <summary>Which processor; it belongs to the type.</summary>
    public required GenerationTask Task { get; init; }

    /// <summary>The user's text.</summary>
    public required string Prompt { get; init; }

    /// <summary>The processor's options, a JSON object.</summary>
    public string? Options { get; init; }

    /// <summary>The client's name for this submission, 1 to 255 printable ASCII characters.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>SHA-256 of what was asked for, needed with a key.</summary>
    public byte[]? RequestHash { get; init; }

    /// <summary>From when on a result is of no use.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The trace it belongs to (W3C Trace Context).</summary>
    public string? TraceParent { get; init; }
}

/// <summary>The outcome of a submission.</summary>
public enum SubmitOutcome
{
    /// <summary>It is in the queue now.</summary>
    Created,

    /// <summary>It was submitted before, under this key or id.</summary>
    Repeated,

    /// <summary>The key was used for another request.</summary>
    KeyReused,
}

/// <summary>What became of a submission.</summary>
/// <param name="Outcome">New, a repeat, or a conflict.</param>
/// <param name="Generation">The generation as it is now; of the earlier request with <see cref="SubmitOutcome.KeyReused"/>.</param>
/// <param name="Update">The first update, to be announced; only with <see cref="SubmitOutcome.Created"/>.</param>
public sealed record SubmitResult(SubmitOutcome Outcome, Generation Generation, StatusUpdate? Update);

/// <summary>The outcome of a cancel.</summary>
public enum CancelOutcome
{
    /// <summary>No such generation of this user.</summary>
    NotFound,

    /// <summary>It was pending and is canceled now.</summary>
    Canceled,

    /// <summary>It was canceled before.</summary>
    AlreadyCanceled,

    /// <summary>It is running; its worker was asked to stop.</summary>
    Requested,

    /// <summary>It has completed or failed.</summary>
    Terminal,
}

/// <summary>What became of a cancel.</summary>
/// <param name="Outcome">What happened.</param>
/// <param name="Update">The update to be announced; only with <see cref="CancelOutcome.Canceled"/>.</param>
public sealed record CancelResult(CancelOutcome Outcome, StatusUpdate? Update);

/// <summary>Which of a user's generations to list: newest first.</summary>
public sealed record GenerationFilter
{
    /// <summary>Whose.</summary>
    public required string UserId { get; init; }

    /// <summary>Only of this status.</summary>
    public GenerationStatus? Status { get; init; }

    /// <summary>Only of this type.</summary>
    public GenerationType? Type { get; init; }

    /// <summary>Created at or after.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Created before (exclusive).</summary>
    public DateTimeOffset? Before { get; init; }

    /// <summary>At most this many.</summary>
    public required int Limit { get; init; }

    /// <summary>Skipping this many.</summary>
    public int Offset { get; init; }

    /// <summary>Only those after (older than) this place; not together with <see cref="Offset"/>.</summary>
    public GenerationListCursor? After { get; init; }
}

/// <summary>A place in a list of generations: the last one seen.</summary>
/// <param name="CreatedAt">When it was submitted.</param>
/// <param name="Id">Which one, among those of the same instant.</param>
public sealed record GenerationListCursor(DateTimeOffset CreatedAt, string Id);

/// <summary>A page of generations, newest first.</summary>
/// <param name="Items">The page.</param>
/// <param name="Total">How many match the filter in all.</param>
/// <param name="IsMore">Whether there are more than <see cref="Total"/>: they were not counted any further.</param>
/// <param name="Next">Where the next page begins; null on the last one.</param>
public sealed record GenerationList(IReadOnlyList<Generation> Items, long Total, bool IsMore, GenerationListCursor? Next);
