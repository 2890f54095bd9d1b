using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using StatusUpdates.Api.Json;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary>Requests a generation.</summary>
internal sealed record SubmitRequest
{
    /// <summary>The maximum length of a prompt, in UTF-16 code units.</summary>
    public const int MaxPromptLength = 8_000;

    /// <summary>The name of a registered type: see <c>GET /api/v1/types</c>.</summary>
    [Required]
    [RegularExpression(GenerationNames.Pattern)]
    public string? Type { get; init; }

    /// <summary>What to generate, in the user's words.</summary>
    [Required]
    [StringLength(MaxPromptLength, MinimumLength = 1)]
    public string? Prompt { get; init; }

    /// <summary>The name of one of the type's tasks. By default the type's default task.</summary>
    [RegularExpression(GenerationNames.Pattern)]
    public string? Task { get; init; }

    /// <summary>
    /// The generation fails if it has not completed by then. In the future, at most 30 days ahead, in ISO 8601 with an offset.
    /// </summary>
    [JsonConverter(typeof(OffsetTimeConverter))]
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The task's options: a JSON object of at most 16 KiB and 16 levels.</summary>
    public JsonElement? Options { get; init; }
}
