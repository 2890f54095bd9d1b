using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Client.Http;

/// <summary>The envelope of every success response: <c>{"success":true,"data":…}</c>. <c>success</c> is not read: the status code says it.</summary>
internal sealed record Envelope<T>(T? Data);

/// <summary>An error response of the API (RFC 9457). Every member may be absent: a proxy may have written something similar.</summary>
internal sealed record ApiProblem
{
    public string? Title { get; init; }

    public string? Detail { get; init; }

    public string? Code { get; init; }

    public string? TraceId { get; init; }

    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Errors { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Envelope<Generation>))]
[JsonSerializable(typeof(Envelope<GenerationPage>))]
[JsonSerializable(typeof(Envelope<GenerationHistory>))]
[JsonSerializable(typeof(ApiProblem))]
[JsonSerializable(typeof(SubmitGenerationRequest))]
internal sealed partial class ClientJsonContext : JsonSerializerContext;
