namespace StatusUpdates.Data.Schema;

/// <summary>An endpoint that a user registered. Its position in the log is the cursor <c>webhook:{id}</c>.</summary>
public sealed class Webhook
{
    /// <summary><c>wh-</c> and a UUIDv7.</summary>
    public required string Id { get; init; }

    /// <summary>The owner of the log.</summary>
    public required string UserId { get; init; }

    /// <summary>The URL that updates are posted to.</summary>
    public required string Url { get; init; }

    /// <summary>The owner's description.</summary>
    public string? Description { get; init; }

    /// <summary>The statuses to deliver, by wire name; null for all.</summary>
    public string[]? Statuses { get; init; }

    /// <summary>The types to deliver, by wire name; null for all.</summary>
    public string[]? Types { get; init; }

    /// <summary>The signing keys, the current ones and those rotated out recently, encrypted (Data Protection).</summary>
    public required byte[] SigningKeys { get; init; }

    /// <summary>When it was registered.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its owner last changed it.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>When deliveries were stopped; null while it is enabled.</summary>
    public DateTimeOffset? DisabledAt { get; init; }

    /// <summary>Why: <c>owner</c>, <c>gone</c> (it answered 410) or <c>failing</c> (for days).</summary>
    public string? DisabledReason { get; init; }

    /// <summary>Since when every attempt has failed; null after one that succeeded.</summary>
    public DateTimeOffset? FailingSince { get; init; }

    /// <summary>When it last accepted a delivery at its current URL; null before the first.</summary>
    public DateTimeOffset? LastSuccessAt { get; init; }
}

/// <summary>The delivery of one update to one webhook. The row exists from the first attempt, or since the delivery waits for another one.</summary>
public sealed class WebhookDelivery
{
    /// <summary><c>dlv-</c> and a UUIDv7.</summary>
    public required string Id { get; init; }

    /// <summary>The webhook.</summary>
    public required string WebhookId { get; init; }

    /// <summary>The update's position in the log; null for other messages (a test, a resync).</summary>
    public long? Seq { get; init; }

    /// <summary>The update's generation: its deliveries are made one after the other.</summary>
    public string? GenerationId { get; init; }

    /// <summary>The header <c>webhook-id</c>: the same for every attempt.</summary>
    public required string MessageId { get; init; }

    /// <summary>The message's <c>type</c>, such as <c>generation.completed</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The message itself if it is not in the log (a test, a resync); else null.</summary>
    public string? Body { get; init; }

    /// <summary><c>pending</c>, <c>delivered</c> or <c>failed</c>.</summary>
    public required string State { get; init; }

    /// <summary>Attempts since it was created, re-enabled or replayed.</summary>
    public required int Attempt { get; init; }

    /// <summary>When the row was created.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it is attempted next; null if it has ended, or waits for another one of its generation.</summary>
    public DateTimeOffset? NextAttemptAt { get; init; }

    /// <summary>When it was last attempted.</summary>
    public DateTimeOffset? LastAttemptAt { get; init; }

    /// <summary>The status code of the last response; null without a response.</summary>
    public int? StatusCode { get; init; }

    /// <summary>The latest attempts, oldest first: a JSON array of at, attempt, statusCode, durationMs, error, response.</summary>
    public string? Attempts { get; init; }
}
