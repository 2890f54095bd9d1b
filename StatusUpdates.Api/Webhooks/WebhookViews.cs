using StatusUpdates.Data.Schema;
using StatusUpdates.Webhooks.Deliveries;

namespace StatusUpdates.Api.Webhooks;

/// <summary>A webhook as its owner sees it.</summary>
internal sealed record WebhookView
{
    /// <summary><c>wh-…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Where updates are posted.</summary>
    public required string Url { get; init; }

    /// <summary>The owner's description.</summary>
    public string? Description { get; init; }

    /// <summary>Only updates with these statuses; absent for all.</summary>
    public IReadOnlyList<string>? Statuses { get; init; }

    /// <summary>Only updates of these types; absent for all.</summary>
    public IReadOnlyList<string>? Types { get; init; }

    /// <summary>Whether updates are delivered.</summary>
    public required bool Enabled { get; init; }

    /// <summary>When it was disabled.</summary>
    public DateTimeOffset? DisabledAt { get; init; }

    /// <summary>Why it was disabled: <c>owner</c>, <c>gone</c> (it answered 410) or <c>failing</c> (for days).</summary>
    public string? DisabledReason { get; init; }

    /// <summary>The time since which every attempt has failed.</summary>
    public DateTimeOffset? FailingSince { get; init; }

    /// <summary>When it last accepted a message at its current URL.</summary>
    public DateTimeOffset? LastSuccessAt { get; init; }

    /// <summary>The key to verify <c>v1a</c> signatures with: <c>whpk_…</c>. Not secret.</summary>
    public string? PublicKey { get; init; }

    /// <summary>The secret to verify <c>v1</c> signatures with: <c>whsec_…</c>. Shown once, when it is created.</summary>
    public string? Secret { get; init; }

    /// <summary>When it was registered.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its owner last changed it.</summary>
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

    // The secret must never get into a log.
    public override string ToString() => $"{nameof(WebhookView)} {Id}";
}

/// <summary>All webhooks of a user.</summary>
/// <param name="Items">The webhooks, oldest first.</param>
internal sealed record WebhookList(IReadOnlyList<WebhookView> Items);

/// <summary>The delivery of one message to one webhook.</summary>
internal sealed record DeliveryView
{
    /// <summary><c>dlv-…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The <c>webhook-id</c> header, the same for every attempt.</summary>
    public required string MessageId { get; init; }

    /// <summary>The message's <c>type</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The update's position in the log; absent for messages that are not updates.</summary>
    public long? Seq { get; init; }

    /// <summary>The update's generation.</summary>
    public string? GenerationId { get; init; }

    /// <summary><c>pending</c>, <c>delivered</c> or <c>failed</c>.</summary>
    public required string State { get; init; }

    /// <summary>The number of attempts since it was created or replayed, or since its webhook was enabled.</summary>
    public required int Attempt { get; init; }

    /// <summary>The response status of the last attempt.</summary>
    public int? StatusCode { get; init; }

    /// <summary>When it was created.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it was last attempted.</summary>
    public DateTimeOffset? LastAttemptAt { get; init; }

    /// <summary>When it will be attempted next; absent if that is at once, or as soon as an earlier delivery of its generation is finished.</summary>
    public DateTimeOffset? NextAttemptAt { get; init; }

    /// <summary>The last attempt: time, response status, duration, and the beginning of the response body.</summary>
    public AttemptView? LastAttempt { get; init; }

    /// <summary>The latest attempts, oldest first; only in a response about one delivery.</summary>
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

/// <summary>An attempt.</summary>
/// <param name="At">When it began.</param>
/// <param name="Attempt">Its number, from 1.</param>
/// <param name="StatusCode">The response status; absent if there was no response.</param>
/// <param name="DurationMs">Its duration, in milliseconds.</param>
/// <param name="Error">Why it failed; absent if it succeeded.</param>
/// <param name="Response">The beginning of the response body.</param>
internal sealed record AttemptView(DateTimeOffset At, int Attempt, int? StatusCode, double DurationMs, string? Error, string? Response)
{
    public static AttemptView Of(DeliveryAttempt attempt) =>
        new(attempt.At, attempt.Attempt, attempt.StatusCode, attempt.DurationMs, attempt.Error, attempt.Response);
}

/// <summary>A page of a webhook's deliveries.</summary>
/// <param name="Items">The page, newest first.</param>
/// <param name="Limit">The maximum number of items that was requested.</param>
/// <param name="NextCursor">The cursor of the next page; absent on the last page.</param>
internal sealed record DeliveryPage(IReadOnlyList<DeliveryView> Items, int Limit, string? NextCursor);

/// <summary>The effect of a replay.</summary>
/// <param name="Count">How many updates it made pending.</param>
internal sealed record ReplayView(int Count);
