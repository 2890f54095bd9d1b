using System.Text.Json.Serialization;
using StatusUpdates.Api.Json;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Api.Webhooks;

/// <summary>A webhook as its owner sees it.</summary>
internal sealed record WebhookView
{
    /// <summary><c>wh-…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Where updates are posted.</summary>
    public required string Url { get; init; }

    /// <summary>The owner's words about it.</summary>
    public string? Description { get; init; }

    /// <summary>Only updates of these statuses; absent for all.</summary>
    public IReadOnlyList<string>? Statuses { get; init; }

    /// <summary>Only updates of these types; absent for all.</summary>
    public IReadOnlyList<string>? Types { get; init; }

    /// <summary>Whether updates are delivered.</summary>
    public required bool Enabled { get; init; }

    /// <summary>Since when they are not.</summary>
    public DateTimeOffset? DisabledAt { get; init; }

    /// <summary>Why: <c>owner</c>, <c>gone</c> (it answered 410) or <c>failing</c> (for days).</summary>
    public string? DisabledReason { get; init; }

    /// <summary>Since when every attempt has failed.</summary>
    public DateTimeOffset? FailingSince { get; init; }

    /// <summary>When it took a message last, at its present URL.</summary>
    public DateTimeOffset? LastSuccessAt { get; init; }

    /// <summary>What <c>v1a</c> signatures are verified with: <c>whpk_…</c>. No secret.</summary>
    public string? PublicKey { get; init; }

    /// <summary>What <c>v1</c> signatures are verified with: <c>whsec_…</c>. Shown once, when it is made.</summary>
    public string? Secret { get; init; }

    /// <summary>When it was registered.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its owner changed it last.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    public static WebhookView Of(Webhook webhook, string? publicKey) => new()
    {
        Id = webhook.Id,
        Url = webhook.Url,
        Description = webhook.Description,
        Statuses = webhook.Statuses,
        Types = webhook.Types,
        Enabled = webhook.DisabledAt is null,
        DisabledAt = webhook.DisabledAt,
        DisabledReason = webhook.DisabledReason,
        FailingSince = webhook.FailingSince,
        LastSuccessAt = webhook.LastSuccessAt,
        PublicKey = publicKey,
        CreatedAt = webhook.CreatedAt,
        UpdatedAt = webhook.UpdatedAt,
    };

    // Never a secret in a log.
    public override string ToString() => $"{nameof(WebhookView)} {Id}";
}

/// <summary>All webhooks of a user.</summary>
/// <param name="Items">The oldest first.</param>
internal sealed record WebhookList(IReadOnlyList<WebhookView> Items);

/// <summary>What became of one message for one webhook.</summary>
internal sealed record DeliveryView
{
    /// <summary><c>dlv-…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The header <c>webhook-id</c>, the same for every attempt.</summary>
    public required string MessageId { get; init; }

    /// <summary>The message's <c>type</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The update's position in the log; absent for what is no update.</summary>
    public long? Seq { get; init; }

    /// <summary>The update's generation.</summary>
    public string? GenerationId { get; init; }

    /// <summary><c>pending</c>, <c>delivered</c> or <c>failed</c>.</summary>
    public required string State { get; init; }

    /// <summary>Attempts since it was made, replayed, or its webhook enabled.</summary>
    public required int Attempt { get; init; }

    /// <summary>What was answered to the last attempt.</summary>
    public int? StatusCode { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it was attempted last.</summary>
    public DateTimeOffset? LastAttemptAt { get; init; }

    /// <summary>When it is attempted next; absent if that is at once, or when an earlier one of its generation is over.</summary>
    public DateTimeOffset? NextAttemptAt { get; init; }

    /// <summary>The last attempt: time, answer, duration, and the beginning of the answer's body.</summary>
    public AttemptView? LastAttempt { get; init; }

    /// <summary>The latest attempts, oldest first; only where one delivery is asked for.</summary>
    public IReadOnlyList<AttemptView>? Attempts { get; init; }

    public static DeliveryView Of(WebhookDelivery delivery) => new()
    {
        Id = delivery.Id,
        MessageId = delivery.MessageId,
        Type = delivery.Type,
        Seq = delivery.Seq,
        GenerationId = delivery.GenerationId,
        State = delivery.State,
        Attempt = delivery.Attempt,
        StatusCode = delivery.StatusCode,
        CreatedAt = delivery.CreatedAt,
        LastAttemptAt = delivery.LastAttemptAt,
        NextAttemptAt = delivery.State == DeliveryState.Pending ? delivery.NextAttemptAt : null,
        LastAttempt = DeliveryAttempts.Parse(delivery.Attempts) is [.., var last] ? AttemptView.Of(last) : null,
    };

    public static DeliveryView WithAttempts(WebhookDelivery delivery) =>
        Of(delivery) with { Attempts = [.. DeliveryAttempts.Parse(delivery.Attempts).Select(AttemptView.Of)] };
}

/// <summary>One attempt.</summary>
/// <param name="At">When it began.</param>
/// <param name="Attempt">Which it was, from 1.</param>
/// <param name="StatusCode">What was answered; absent if nothing was.</param>
/// <param name="DurationMs">How long it took, in milliseconds.</param>
/// <param name="Error">Why it failed; absent if it did not.</param>
/// <param name="Response">The beginning of the answer's body.</param>
internal sealed record AttemptView(DateTimeOffset At, int Attempt, int? StatusCode, double DurationMs, string? Error, string? Response)
{
    public static AttemptView Of(DeliveryAttempt attempt) =>
        new(attempt.At, attempt.Attempt, attempt.StatusCode, attempt.DurationMs, attempt.Error, attempt.Response);
}

/// <summary>A page of a webhook's deliveries.</summary>
/// <param name="Items">The page, newest first.</param>
/// <param name="Limit">How many were asked for.</param>
/// <param name="NextCursor">What to ask the next page with; absent on the last page.</param>
internal sealed record DeliveryPage(IReadOnlyList<DeliveryView> Items, int Limit, string? NextCursor);

/// <summary>What a replay does.</summary>
/// <param name="Count">How many updates are pending by it.</param>
internal sealed record ReplayView(int Count);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(CreateWebhookRequest))]
[JsonSerializable(typeof(UpdateWebhookRequest))]
[JsonSerializable(typeof(RotateSecretRequest))]
[JsonSerializable(typeof(ReplayRequest))]
[JsonSerializable(typeof(Success<WebhookView>))]
[JsonSerializable(typeof(Success<WebhookList>))]
[JsonSerializable(typeof(Success<DeliveryView>))]
[JsonSerializable(typeof(Success<DeliveryPage>))]
[JsonSerializable(typeof(Success<ReplayView>))]
internal sealed partial class WebhooksJsonContext : JsonSerializerContext;
