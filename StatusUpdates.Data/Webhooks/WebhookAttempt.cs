using System.Text.Json;

namespace StatusUpdates.Data.Webhooks;

/// <summary>One attempt of a delivery.</summary>
/// <param name="At">When it began.</param>
/// <param name="Attempt">Which attempt it was, from 1.</param>
/// <param name="StatusCode">What was answered; null if nothing was.</param>
/// <param name="DurationMs">How long it took, in milliseconds.</param>
/// <param name="Error">A named reason why it failed, safe to show; null if it did not.</param>
/// <param name="Response">The beginning of the answer's body; null if there was none.</param>
public sealed record WebhookAttempt(DateTimeOffset At, int Attempt, int? StatusCode, int DurationMs, string? Error, string? Response)
{
    /// <summary>Attempts as they are stored, a JSON array.</summary>
    public static string Encode(IReadOnlyList<WebhookAttempt> attempts) =>
        JsonSerializer.Serialize(attempts, WebhookJsonContext.Default.IReadOnlyListWebhookAttempt);

    /// <summary>Attempts as they were stored.</summary>
    public static IReadOnlyList<WebhookAttempt> Decode(string? json) =>
        json is null ? [] : JsonSerializer.Deserialize(json, WebhookJsonContext.Default.IReadOnlyListWebhookAttempt) ?? [];
}
