using System.Text.Json;

namespace StatusUpdates.Messaging;

/// <summary>A generation as clients see it: the data of the API's responses. Immutable.</summary>
public record GenerationView
{
    /// <summary><c>gen-…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The owner's user id.</summary>
    public required string UserId { get; init; }

    /// <summary>The name of its type, such as <c>chat</c>; one that is no longer offered keeps it.</summary>
    public required string Type { get; init; }

    /// <summary>The name of its task: which of the type's kinds of work was requested.</summary>
    // Not required: an API of an earlier version does not send it; then it is empty.
    public string Task { get => field ?? ""; init; }

    /// <summary>The current status.</summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>The position of its latest update in its owner's log: updates at or below it are already included here.</summary>
    public required long Seq { get; init; }

    /// <summary>The same position with its check: where a feed can continue.</summary>
    // Not required: an API of an earlier version does not send it, and what it sends is read all the same.
    public string Cursor { get => field ?? new LogPosition(Seq).ToString(); init; }

    /// <summary>The prompt, as submitted.</summary>
    public required string Prompt { get; init; }

    /// <summary>The task's options, as submitted: a JSON object; null if there were none.</summary>
    public JsonElement? Options { get; init; }

    /// <summary>The progress, 0 to 100 percent.</summary>
    public int? Progress { get; init; }

    /// <summary>The URLs of the results, once completed.</summary>
    public IReadOnlyList<string>? ResultUrls { get; init; }

    /// <summary>What it cost, in tokens.</summary>
    public long? TokensUsed { get; init; }

    /// <summary>Why it failed.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>When it was submitted.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its latest update was written.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>When a worker first claimed it.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? CompletedAt { get; init; }

    /// <summary>The deadline, if one was set: a generation that has not ended by then fails.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>When its owner requested cancellation while it was running.</summary>
    public DateTimeOffset? CancelRequestedAt { get; init; }
}
