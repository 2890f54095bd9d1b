using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using StatusUpdates.Api.Json;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary>Asks for a generation.</summary>
internal sealed record SubmitRequest
{
    /// <summary>The longest prompt, in UTF-16 characters.</summary>
    public const int MaxPromptLength = 8_000;

    /// <summary>What to make.</summary>
    [Required]
    public GenerationType? Type { get; init; }

    /// <summary>What it shall be, in the user's words.</summary>
    [Required]
    [StringLength(MaxPromptLength, MinimumLength = 1)]
    public string? Prompt { get; init; }

    /// <summary>Which processor makes it; one of the type's. The type's first by default.</summary>
    public GenerationTask? Task { get; init; }

    /// <summary>
    /// From when on a result is of no use: what has not completed by then fails. In the future, at most 30 days ahead; ISO 8601 with an offset.
    /// </summary>
    [JsonConverter(typeof(OffsetTimeConverter))]
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The processor's options: a JSON object of at most 16 KiB and 16 levels.</summary>
    public JsonElement? Options { get; init; }
}
