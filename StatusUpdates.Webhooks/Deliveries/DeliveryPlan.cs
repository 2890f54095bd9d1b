using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>What there is to deliver to one webhook, by one read of the database.</summary>
internal sealed record DeliveryPlan
{
    /// <summary>The webhook.</summary>
    public required WebhookTarget Target { get; init; }

    /// <summary>The log's bounds.</summary>
    public required LogBounds Bounds { get; init; }

    /// <summary>The requested position, with the check of the entry there.</summary>
    public required LogPosition Cursor { get; init; }

    /// <summary>
    /// Due deliveries, and those that wait for them: each generation's together, in order and without gaps.
    /// </summary>
    public required IReadOnlyList<Delivery> Due { get; init; }

    /// <summary>Whether there are more than <see cref="Due"/> contains, of its last generation or of others.</summary>
    public required bool HasMoreDue { get; init; }

    /// <summary>How many deliveries are pending, due or not.</summary>
    public required int Pending { get; init; }

    /// <summary>How many generations have pending deliveries.</summary>
    public required int PendingGenerations { get; init; }

    /// <summary>How many generations' deliveries have failed since the last success, because of the receiver and not of the message.</summary>
    public required int FailingGenerations { get; init; }

    /// <summary>The time until the next delivery becomes due; null if there is none that is not due yet.</summary>
    public required TimeSpan? NextDue { get; init; }

    /// <summary>The log's entries after the position, in order.</summary>
    public required IReadOnlyList<LoggedUpdate> Page { get; init; }

    /// <summary>Like <see cref="LogPage.Continues"/>.</summary>
    public bool Continues(LogPosition cursor) => Bounds.Continues(cursor, Cursor);
}

/// <summary>A webhook, as far as delivery needs it.</summary>
internal sealed record WebhookTarget
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>The URL that messages are posted to.</summary>
    public required Uri Url { get; init; }

    /// <summary>The statuses to deliver; null for all.</summary>
    public required IReadOnlyCollection<string>? Statuses { get; init; }

    /// <summary>The types to deliver; null for all.</summary>
    public required IReadOnlyCollection<string>? Types { get; init; }

    /// <summary>The signing keys, encrypted.</summary>
    public required byte[] SigningKeys { get; init; }

    /// <summary>Whether deliveries are stopped.</summary>
    public required bool IsDisabled { get; init; }

    /// <summary>When it last accepted a delivery, by the database's clock.</summary>
    public required DateTimeOffset? LastSuccessAt { get; init; }

    /// <summary>Whether the update is to be delivered.</summary>
    public bool Wants(StatusUpdate update) =>
        (Statuses is null || Statuses.Contains(update.Status.ToWireName())) && (Types is null || Types.Contains(update.Type));
}

/// <summary>An entry of the log, and the state of its delivery.</summary>
/// <param name="Update">The update.</param>
/// <param name="UpdateId">Its id.</param>
/// <param name="IsRecorded">Whether it already has a delivery.</param>
/// <param name="IsBlocked">Whether an earlier update of its generation is still pending.</param>
internal sealed record LoggedUpdate(StatusUpdate Update, Guid UpdateId, bool IsRecorded, bool IsBlocked);
