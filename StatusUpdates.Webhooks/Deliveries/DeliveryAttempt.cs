using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>One delivery attempt, as it is stored and shown.</summary>
/// <param name="At">When it began, by the worker's clock.</param>
/// <param name="Attempt">Its number, from 1; from 1 again after a replay, or when the webhook was enabled again.</param>
/// <param name="StatusCode">The status code of the response; null without a response.</param>
/// <param name="DurationMs">How long it took, in milliseconds.</param>
/// <param name="Error">Why it failed; null if it did not.</param>
/// <param name="Response">The beginning of the response's body.</param>
public sealed record DeliveryAttempt(DateTimeOffset At, int Attempt, int? StatusCode, double DurationMs, string? Error, string? Response);

/// <summary>The stored attempts of a delivery: a JSON array of the latest ones, oldest first.</summary>
public static class DeliveryAttempts
{
    /// <summary>How many are kept.</summary>
    public const int MaxKept = 20;

    public static IReadOnlyList<DeliveryAttempt> Parse(string? json) =>
        json is null ? [] : JsonSerializer.Deserialize(json, DeliveryAttemptsJsonContext.Default.DeliveryAttemptArray)!;

    /// <summary>Encodes the latest <see cref="MaxKept"/>.</summary>
    public static string Encode(IReadOnlyList<DeliveryAttempt> attempts) => JsonSerializer.Serialize(
        [.. attempts.Skip(Math.Max(0, attempts.Count - MaxKept))], DeliveryAttemptsJsonContext.Default.DeliveryAttemptArray);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DeliveryAttempt[]))]
internal sealed partial class DeliveryAttemptsJsonContext : JsonSerializerContext;
