namespace StatusUpdates.Data.Schema;

/// <summary>An endpoint that a user registered. Its position in the log is the cursor <c>webhook:{id}</c>.</summary>
public sealed class Webhook
{
    /// <summary><c>wh-</c> and a UUIDv7.</summary>
    public required string Id { get; init; }

    /// <summary>Whose log it is told.</summary>
    public required string UserId { get; init; }

    /// <summary>Where the updates are posted.</summary>
    public required string Url { get; init; }

    /// <summary>The owner's words about it.</summary>
    public string? Description { get; init; }

    /// <summary>Statuses that are wanted, by wire name; null for all.</summary>
    public string[]? Statuses { get; init; }

    /// <summary>Types that are wanted, by wire name; null for all.</summary>
    public string[]? Types { get; init; }

    /// <summary>The signing keys, the present ones and those that were rotated out lately, encrypted (Data Protection).</summary>
    public required byte[] SigningKeys { get; init; }

    /// <summary>When it was registered.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its owner changed it last.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Since when nothing is delivered; null while it is.</summary>
    public DateTimeOffset? DisabledAt { get; init; }

    /// <summary>Why: <c>owner</c>, <c>gone</c> (it answered 410) or <c>failing</c> (for days).</summary>
    public string? DisabledReason { get; init; }

    /// <summary>Since when every attempt has failed; null after one that did not.</summary>
    public DateTimeOffset? FailingSince { get; init; }

    /// <summary>When it took a delivery last at its present URL; null before the first.</summary>
    public DateTimeOffset? LastSuccessAt { get; init; }
}

/// <summary>What became of one update for one webhook. There is a row from its first attempt, or since it waits behind another one.</summary>
public sealed class WebhookDelivery
{
    /// <summary><c>dlv-</c> and a UUIDv7.</summary>
    public required string Id { get; init; }

    /// <summary>Which webhook.</summary>
    public required string WebhookId { get; init; }

    /// <summary>The update's position in the log; null for what is not an update (a test, a resync).</summary>
    public long? Seq { get; init; }

    /// <summary>The update's generation: deliveries of one generation go out one after the other.</summary>
    public string? GenerationId { get; init; }

    /// <summary>The header <c>webhook-id</c>: the same for every attempt.</summary>
    public required string MessageId { get; init; }

    /// <summary>The message's <c>type</c>, such as <c>generation.completed</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The message itself where it is not in the log (a test, a resync); null otherwise.</summary>
    public string? Body { get; init; }

    /// <summary><c>pending</c>, <c>delivered</c> or <c>failed</c>.</summary>
    public required string State { get; init; }

    /// <summary>Attempts since it was created, re-enabled or replayed.</summary>
    public required int Attempt { get; init; }

    /// <summary>When the row was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it is attempted next; null if it is over, or waits behind another one of its generation.</summary>
    public DateTimeOffset? NextAttemptAt { get; init; }

    /// <summary>When it was attempted last.</summary>
    public DateTimeOffset? LastAttemptAt { get; init; }

    /// <summary>What was answered to the last attempt; null if nothing was.</summary>
    public int? StatusCode { get; init; }

    /// <summary>The latest attempts, oldest first: a JSON array of at, attempt, statusCode, durationMs, error, response.</summary>
    public string? Attempts { get; init; }
}
