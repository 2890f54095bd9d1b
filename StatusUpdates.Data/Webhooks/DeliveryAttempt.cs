using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Data.Webhooks;

/// <summary>One attempt to deliver, as it is stored and shown.</summary>
/// <param name="At">When it began, by the worker's clock.</param>
/// <param name="Attempt">Which one, from 1; from 1 again after a replay, or when the webhook was enabled again.</param>
/// <param name="StatusCode">What was answered; null if nothing was.</param>
/// <param name="DurationMs">How long it took, in milliseconds.</param>
/// <param name="Error">Why it failed; null if it did not.</param>
/// <param name="Response">The beginning of the answer's body.</param>
public sealed record DeliveryAttempt(DateTimeOffset At, int Attempt, int? StatusCode, double DurationMs, string? Error, string? Response);

/// <summary>The stored attempts of a delivery: a JSON array, oldest first, of the latest ones.</summary>
public static class DeliveryAttempts
{
    /// <summary>How many are kept.</summary>
    public const int MaxKept = 20;

    /// <summary>Reads them.</summary>
    public static IReadOnlyList<DeliveryAttempt> Parse(string? json) =>
        json is null ? [] : JsonSerializer.Deserialize(json, DeliveryAttemptsJsonContext.Default.DeliveryAttemptArray)!;

    /// <summary>Writes them, without those that are too many.</summary>
    public static string Encode(IReadOnlyList<DeliveryAttempt> attempts) => JsonSerializer.Serialize(
        [.. attempts.Skip(Math.Max(0, attempts.Count - MaxKept))], DeliveryAttemptsJsonContext.Default.DeliveryAttemptArray);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DeliveryAttempt[]))]
internal sealed partial class DeliveryAttemptsJsonContext : JsonSerializerContext;
