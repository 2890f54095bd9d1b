using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Api.Errors;

/// <summary>A failure as clients see it: problem details (RFC 9457) with this API's members.</summary>
internal sealed record Problem
{
    /// <summary>Always <c>about:blank</c>: problems are distinguished by <see cref="Code"/>.</summary>
    public string Type { get; init; } = "about:blank";

    /// <summary>The status code's reason phrase.</summary>
    public required string Title { get; init; }

    /// <summary>The HTTP status code.</summary>
    public required int Status { get; init; }

    /// <summary>What went wrong, for people; never an exception's message.</summary>
    public string? Detail { get; init; }

    /// <summary>Always false, as a success has <c>"success":true</c>.</summary>
    public bool Success { get; }

    /// <summary>What went wrong, for programs; one of <see cref="ProblemCodes"/>.</summary>
    public required string Code { get; init; }

    /// <summary>With <see cref="ProblemCodes.InvalidRequest"/>: the errors of each field, header or parameter.</summary>
    public IReadOnlyDictionary<string, string[]>? Errors { get; init; }

    /// <summary>The id of the trace in the telemetry.</summary>
    public string? TraceId { get; init; }
}

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Problem))]
internal sealed partial class ProblemJsonContext : JsonSerializerContext;
