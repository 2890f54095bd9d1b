using System.Text.Json;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Schema;

/// <summary>One generation: its current state, and its place in the job queue. Times are UTC.</summary>
public sealed class Generation
{
    /// <summary><c>gen-</c> and a UUIDv7.</summary>
    public required string Id { get; init; }

    /// <summary>Its owner.</summary>
    public required string UserId { get; init; }

    /// <summary>The name of the requested type.</summary>
    public required string Type { get; init; }

    /// <summary>The name of its task: which provider creates it.</summary>
    public required string Task { get; init; }

    public required GenerationStatus Status { get; init; }

    /// <summary>Position of its latest update in its owner's log.</summary>
    public required long Seq { get; init; }

    /// <summary>Position of its first update in its owner's log: shows whether retention has removed a part of its history.</summary>
    public required long FirstSeq { get; init; }

    /// <summary>The user's text.</summary>
    public required string Prompt { get; init; }

    /// <summary>The task's options, a JSON object; null when none were given.</summary>
    public string? Options { get; init; }

    /// <summary>The URLs of the results, once completed.</summary>
    public string[]? ResultUrls { get; init; }

    /// <summary>The cost in tokens.</summary>
    public long? TokensUsed { get; init; }

    /// <summary>Why it failed, for people.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>Progress, 0 to 100 percent.</summary>
    public int? Progress { get; init; }

    /// <summary>When it was submitted.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its latest update was written.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>When a worker first claimed it.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended: completed, failed or canceled.</summary>
    public DateTimeOffset? CompletedAt { get; init; }

    /// <summary>While pending, the earliest time at which it may be claimed; while it runs, the start of its attempt.</summary>
    public required DateTimeOffset RunAt { get; init; }

    /// <summary>How often it was claimed: the fencing token. Never lowered, never used twice.</summary>
    public required int Attempt { get; init; }

    /// <summary>How many of the attempts count against the limit.</summary>
    public required int Failures { get; init; }

    /// <summary>The worker process that holds it.</summary>
    public string? LeaseOwner { get; init; }

    /// <summary>The end of that worker's lease, unless it is extended. By the database's clock.</summary>
    public DateTimeOffset? LeaseExpiresAt { get; init; }

    /// <summary>When its owner requested cancellation while it was running.</summary>
    public DateTimeOffset? CancelRequestedAt { get; init; }

    /// <summary>The time after which its result is of no use.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The client's idempotency key, unique per user.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>SHA-256 of the submission, to distinguish a repeat from a different request with the same key.</summary>
    public byte[]? RequestHash { get; init; }

    /// <summary>Id of the latest update: shows a repeated write that it was committed before.</summary>
    public required Guid LastUpdateId { get; init; }

    /// <summary>The part of it that clients see.</summary>
    public GenerationView ToView() => new()
    {
        Id = Id,
        UserId = UserId,
        Type = Type,
        Task = Task,
        Status = Status,
        Seq = Seq,
        Cursor = new LogPosition(Seq, LogPosition.CheckOf(LastUpdateId)).ToString(),
        Prompt = Prompt,
        Options = Options is null ? null : JsonElement.Parse(Options),
        Progress = Progress,
        ResultUrls = ResultUrls,
        TokensUsed = TokensUsed,
        ErrorMessage = ErrorMessage,
        CreatedAt = CreatedAt,
        UpdatedAt = UpdatedAt,
        StartedAt = StartedAt,
        CompletedAt = CompletedAt,
        Deadline = Deadline,
        CancelRequestedAt = CancelRequestedAt,
    };
}
