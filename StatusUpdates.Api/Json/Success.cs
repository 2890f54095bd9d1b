using System.Text.Json.Serialization;

namespace StatusUpdates.Api.Json;

/// <summary>The envelope of every success: <c>{"success":true,"data":…}</c>.</summary>
internal sealed record Success<T>(T Data)
{
    /// <summary>Always true.</summary>
    [JsonPropertyOrder(-1)]
    [JsonPropertyName("success")]
    public bool Succeeded { get; } = true;
}
