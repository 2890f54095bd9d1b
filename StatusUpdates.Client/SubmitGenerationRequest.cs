using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

/// <summary>
/// Requests a generation. One object is one submission with its own <see cref="IdempotencyKey"/>: sending it again after a lost response
/// returns the first generation and creates no second one. A copy made by <c>with</c> keeps the key; set a new one.
/// </summary>
public sealed record SubmitGenerationRequest
{
    /// <summary>The name of a type, such as <c>chat</c>. The API lists them at <c>/api/v1/types</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The user's description of it: 1 to 8,000 characters.</summary>
    public required string Prompt { get; init; }

    /// <summary>The name of one of the type's tasks, such as <c>image_generation</c>. By default the type's default task.</summary>
    public string? Task { get; init; }

    /// <summary>The task's options: at most 16 KiB and 16 levels.</summary>
    public JsonObject? Options { get; init; }

    /// <summary>
    /// When the result becomes useless: a generation that has not completed by then fails. Must be in the future, at most 30 days ahead;
    /// stored to the millisecond.
    /// </summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Identifies this submission; sent as <c>Idempotency-Key</c>. 1 to 255 printable ASCII characters; random by default.</summary>
    [JsonIgnore]
    public string IdempotencyKey { get; init; } = Guid.CreateVersion7().ToString();
}
