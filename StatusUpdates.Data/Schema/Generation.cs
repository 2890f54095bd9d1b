using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Schema;

/// <summary>One generation: its present state, and its place in the job queue. Times are UTC.</summary>
public sealed class Generation
{
    /// <summary><c>gen-</c> and a UUIDv7.</summary>
    public required string Id { get; init; }

    /// <summary>Its owner.</summary>
    public required string UserId { get; init; }

    /// <summary>What was asked for.</summary>
    public required GenerationType Type { get; init; }

    /// <summary>Which processor does it.</summary>
    public required GenerationTask Task { get; init; }

    /// <summary>Present status.</summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>Position of its latest update in its owner's log.</summary>
    public required long Seq { get; init; }

    /// <summary>Position of its first update in its owner's log: tells whether retention has taken a part of its history.</summary>
    public required long FirstSeq { get; init; }

    /// <summary>The user's text.</summary>
    public required string Prompt { get; init; }

    /// <summary>The processor's options, a JSON object; null when none were given.</summary>
    public string? Options { get; init; }

    /// <summary>Where the results are, once completed.</summary>
    public string[]? ResultUrls { get; init; }

    /// <summary>What it cost, in tokens.</summary>
    public long? TokensUsed { get; init; }

    /// <summary>Why it failed, for people.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>How far it is, 0 to 100 percent.</summary>
    public int? Progress { get; init; }

    /// <summary>When it was submitted.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its latest update was written.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>When a worker first took it.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it came to its end, whichever.</summary>
    public DateTimeOffset? CompletedAt { get; init; }

    /// <summary>Not before this time does a worker take it.</summary>
    public required DateTimeOffset RunAt { get; init; }

    /// <summary>How often it was claimed: the fencing token. Never lowered, never used twice.</summary>
    public required int Attempt { get; init; }

    /// <summary>How many of the attempts count against the limit.</summary>
    public required int Failures { get; init; }

    /// <summary>The worker process that holds it.</summary>
    public string? LeaseOwner { get; init; }

    /// <summary>Until when that worker holds it, unless it extends. By the database's clock.</summary>
    public DateTimeOffset? LeaseExpiresAt { get; init; }

    /// <summary>When its owner asked a running one to stop.</summary>
    public DateTimeOffset? CancelRequestedAt { get; init; }

    /// <summary>When it is of no more use.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The client's name for the submission, unique for each user.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>SHA-256 of the submission, to tell a repeat from another one under the same key.</summary>
    public byte[]? RequestHash { get; init; }

    /// <summary>Id of the latest update: how a repeated write finds that it was committed.</summary>
    public required Guid LastUpdateId { get; init; }
}
