using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Webhooks;

/// <summary>What there is to deliver to one webhook, from one look at the database.</summary>
public sealed record DeliveryPlan
{
    /// <summary>Where to, and how to sign.</summary>
    public required WebhookTarget Target { get; init; }

    /// <summary>The log's bounds.</summary>
    public required LogBounds Bounds { get; init; }

    /// <summary>The position that was asked for, with the check of what stands there.</summary>
    public required LogPosition Cursor { get; init; }

    /// <summary>
    /// Deliveries that are due, with those that wait behind them: of each generation without a gap, in order; those of one follow each other.
    /// </summary>
    public required IReadOnlyList<StoredDelivery> Due { get; init; }

    /// <summary>Whether there are more than <see cref="Due"/> holds, in its last generation or in others.</summary>
    public required bool HasMoreDue { get; init; }

    /// <summary>How many deliveries are pending, due or not.</summary>
    public required int Pending { get; init; }

    /// <summary>How many generations they are of.</summary>
    public required int PendingGenerations { get; init; }

    /// <summary>How many generations' deliveries have failed since anything succeeded, in a way that is the receiver's and not the message's.</summary>
    public required int Struck { get; init; }

    /// <summary>How long until the next delivery is due that is not yet; null if there is none.</summary>
    public required TimeSpan? NextDue { get; init; }

    /// <summary>What the log holds after the position, in order.</summary>
    public required IReadOnlyList<LoggedUpdate> Page { get; init; }

    /// <summary>As <see cref="LogPage.Continues"/>.</summary>
    public bool Continues(LogPosition cursor) => Bounds.Continues(cursor, Cursor);
}

/// <summary>A webhook, as far as delivery needs it.</summary>
public sealed record WebhookTarget
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Where the messages are posted.</summary>
    public required Uri Url { get; init; }

    /// <summary>Statuses that are wanted; null for all.</summary>
    public required IReadOnlyCollection<string>? Statuses { get; init; }

    /// <summary>Types that are wanted; null for all.</summary>
    public required IReadOnlyCollection<string>? Types { get; init; }

    /// <summary>The signing keys, encrypted.</summary>
    public required byte[] SigningKeys { get; init; }

    /// <summary>Whether nothing is to be delivered.</summary>
    public required bool IsDisabled { get; init; }

    /// <summary>When it took a delivery last, by the database's clock.</summary>
    public required DateTimeOffset? LastSuccessAt { get; init; }

    /// <summary>Whether its owner wants to be told this update.</summary>
    public bool Wants(StatusUpdate update) =>
        (Statuses is null || Statuses.Contains(update.Status.ToWireName())) && (Types is null || Types.Contains(update.Type.ToWireName()));
}

/// <summary>A delivery that has a row already.</summary>
public sealed record StoredDelivery
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>The header <c>webhook-id</c>.</summary>
    public required string MessageId { get; init; }

    /// <summary>The message's type.</summary>
    public required string Type { get; init; }

    /// <summary>The update; null for what is none, and for one that retention has removed from the log.</summary>
    public required StatusUpdate? Update { get; init; }

    /// <summary>The message of what is no update.</summary>
    public required string? Body { get; init; }

    /// <summary>Position in the log; null for what is no update.</summary>
    public required long? Seq { get; init; }

    /// <summary>The generation; null for what is no update.</summary>
    public required string? GenerationId { get; init; }

    /// <summary>How often it was attempted.</summary>
    public required int Attempt { get; init; }

    /// <summary>When its row was made, by the database's clock.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Its attempts, a JSON array.</summary>
    public required string? Attempts { get; init; }
}

/// <summary>An entry of the log, and what is known of its delivery.</summary>
/// <param name="Update">The update.</param>
/// <param name="UpdateId">Its id.</param>
/// <param name="IsRecorded">Whether it has a delivery already.</param>
/// <param name="IsBehind">Whether an earlier update of its generation is still to be delivered.</param>
public sealed record LoggedUpdate(StatusUpdate Update, Guid UpdateId, bool IsRecorded, bool IsBehind);

/// <summary>What became of a delivery, as it is stored.</summary>
public sealed record DeliveryOutcome
{
    /// <summary>The delivery's id; its row is made if there is none.</summary>
    public required string Id { get; init; }

    /// <summary>Position in the log; null for what is no update.</summary>
    public required long? Seq { get; init; }

    /// <summary>The generation; null for what is no update.</summary>
    public required string? GenerationId { get; init; }

    /// <summary>The header <c>webhook-id</c>.</summary>
    public required string MessageId { get; init; }

    /// <summary>The message's type.</summary>
    public required string Type { get; init; }

    /// <summary>The message of what is no update.</summary>
    public string? Body { get; init; }

    /// <summary><c>pending</c>, <c>delivered</c> or <c>failed</c>.</summary>
    public required string State { get; init; }

    /// <summary>How often it was attempted.</summary>
    public required int Attempt { get; init; }

    /// <summary>How long from now it is attempted next; null for as soon as none of its generation is before it.</summary>
    public TimeSpan? NextAttempt { get; init; }

    /// <summary>Whether this is about an attempt, and not of one that waits.</summary>
    public required bool WasAttempted { get; init; }

    /// <summary>What was answered; null if nothing was.</summary>
    public int? StatusCode { get; init; }

    /// <summary>Its attempts, a JSON array; null for none.</summary>
    public string? Attempts { get; init; }
}
