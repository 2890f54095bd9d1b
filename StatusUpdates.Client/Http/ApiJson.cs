using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Client;

/// <summary>The envelope of every success: <c>{"success":true,"data":…}</c>.</summary>
internal sealed record Envelope<T>(T? Data);

/// <summary>A failure as the API writes it (RFC 9457). Every member may be absent: a proxy may have written something like it.</summary>
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
[JsonSerializable(typeof(Envelope<PollPage>))]
[JsonSerializable(typeof(ApiProblem))]
[JsonSerializable(typeof(SubmitGenerationRequest))]
[JsonSerializable(typeof(ServerMessage))]
[JsonSerializable(typeof(AuthenticateMessage))]
internal sealed partial class ClientJsonContext : JsonSerializerContext;
