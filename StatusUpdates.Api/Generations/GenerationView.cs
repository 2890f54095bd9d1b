using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary>A generation as clients see it.</summary>
internal sealed record GenerationView
{
    /// <summary><c>gen-…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Its owner.</summary>
    public required string UserId { get; init; }

    /// <summary>What was asked for.</summary>
    public required GenerationType Type { get; init; }

    /// <summary>Present status.</summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>Position of its latest update in its owner's log: an update not above it is known already.</summary>
    public required long Seq { get; init; }

    /// <summary>The same position with its check: where a feed may go on from.</summary>
    public required string Cursor { get; init; }

    /// <summary>The user's text.</summary>
    public required string Prompt { get; init; }

    /// <summary>How far it is, 0 to 100 percent.</summary>
    public int? Progress { get; init; }

    /// <summary>Where the results are, once completed.</summary>
    public IReadOnlyList<string>? ResultUrls { get; init; }

    /// <summary>What it cost, in tokens.</summary>
    public long? TokensUsed { get; init; }

    /// <summary>Why it failed.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>When it was submitted.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its latest update was written.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>When a worker first took it.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it came to its end.</summary>
    public DateTimeOffset? CompletedAt { get; init; }

    /// <summary>From when on it is of no use, where that was set: what has not ended by then fails.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>When its owner asked it to stop while it was running.</summary>
    public DateTimeOffset? CancelRequestedAt { get; init; }

    public static GenerationView Of(Generation generation) => new()
    {
        Id = generation.Id,
        UserId = generation.UserId,
        Type = generation.Type,
        Status = generation.Status,
        Seq = generation.Seq,
        Cursor = new LogPosition(generation.Seq, LogPosition.CheckOf(generation.LastUpdateId)).ToString(),
        Prompt = generation.Prompt,
        Progress = generation.Progress,
        ResultUrls = generation.ResultUrls,
        TokensUsed = generation.TokensUsed,
        ErrorMessage = generation.ErrorMessage,
        CreatedAt = generation.CreatedAt,
        UpdatedAt = generation.UpdatedAt,
        StartedAt = generation.StartedAt,
        CompletedAt = generation.CompletedAt,
        Deadline = generation.Deadline,
        CancelRequestedAt = generation.CancelRequestedAt,
    };
}
