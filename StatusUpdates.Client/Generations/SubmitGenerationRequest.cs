using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

/// <summary>
/// Asks for a generation. One object is one submission: it carries its own <see cref="IdempotencyKey"/>, so that sending it again after a
/// lost answer gives the generation of the first time and makes no second one. A copy by <c>with</c> keeps the key: give it another.
/// </summary>
public sealed record SubmitGenerationRequest
{
    /// <summary>What to make.</summary>
    public required GenerationType Type { get; init; }

    /// <summary>What it shall be, in the user's words: 1 to 8,000 characters.</summary>
    public required string Prompt { get; init; }

    /// <summary>
    /// Which processor makes it: <c>product_card</c>, <c>sora</c>, <c>chat_processing</c> or <c>image_generation</c>, one of the type's.
    /// The type's first by default.
    /// </summary>
    public string? Task { get; init; }

    /// <summary>The processor's options: at most 16 KiB and 16 levels.</summary>
    public JsonObject? Options { get; init; }

    /// <summary>
    /// From when on a result is of no use: what has not completed by then fails. In the future, at most 30 days ahead; kept to the millisecond.
    /// </summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The name of this submission, sent as <c>Idempotency-Key</c>: 1 to 255 printable ASCII characters. Random by default.</summary>
    [JsonIgnore]
    public string IdempotencyKey { get; init; } = Guid.CreateVersion7().ToString();
}
