using System.Text;
using StatusUpdates.Messaging;
using StatusUpdates.Webhooks.Messages;

namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>A message to one webhook, with the state of its delivery: as it was found, or as it is to be stored. Immutable.</summary>
internal sealed record Delivery
{
    /// <summary>Its id; its row is created if there is none.</summary>
    public required string Id { get; init; }

    /// <summary>The header <c>webhook-id</c>.</summary>
    public required string MessageId { get; init; }

    /// <summary>The message's type.</summary>
    public required string Type { get; init; }

    /// <summary>The update; null for other messages, and for an update that retention has removed from the log.</summary>
    public StatusUpdate? Update { get; init; }

    /// <summary>The message body, if it is not an update.</summary>
    public string? Body { get; init; }

    /// <summary>Its index on the page of the log; null if it has a row already.</summary>
    public int? PageIndex { get; init; }

    /// <summary>Position in the log; null for messages that are not updates.</summary>
    public long? Seq { get; init; }

    /// <summary>The generation; null for messages that are not updates.</summary>
    public string? GenerationId { get; init; }

    /// <summary>One of <see cref="DeliveryState"/>.</summary>
    public string State { get; init; } = DeliveryState.Pending;

    /// <summary>How often it was attempted.</summary>
    public int Attempt { get; init; }

    /// <summary>Whether the last attempt is not stored yet.</summary>
    public bool WasAttempted { get; init; }

    /// <summary>The time from now to the next attempt; null for as soon as no other delivery of its generation is before it.</summary>
    public TimeSpan? NextAttempt { get; init; }

    /// <summary>The status code of the response to an attempt that is not stored yet; null without a response.</summary>
    public int? StatusCode { get; init; }

    /// <summary>When its row was created, by the database's clock; null while it has none.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>The latest attempts, oldest first.</summary>
    public IReadOnlyList<DeliveryAttempt> Attempts { get; init; } = [];

    /// <summary>Deliveries of the same chain are sent in order.</summary>
    public string Chain => GenerationId ?? Id;

    /// <summary>When the current series of attempts began, as far as they are stored; null before the first.</summary>
    public DateTimeOffset? SeriesBeganAt =>
        Attempt == 0 ? null : (Attempts.LastOrDefault(a => a.Attempt == 1) ?? (Attempts.Count > 0 ? Attempts[0] : null))?.At ?? CreatedAt;

    public static Delivery Of(LoggedUpdate logged, int pageIndex) => new()
    {
        Id = WebhookIds.NewDelivery(),
        MessageId = WebhookIds.MessageOf(logged.UpdateId),
        Type = WebhookMessages.TypeOf(logged.Update.Status),
        Update = logged.Update,
        PageIndex = pageIndex,
        Seq = logged.Update.Seq,
        GenerationId = logged.Update.GenerationId,
    };

    public static Delivery Resync(long head, DateTimeOffset now)
    {
        var id = WebhookIds.NewDelivery();
        return new()
        {
            Id = id,
            MessageId = WebhookIds.MessageOf(id),
            Type = WebhookMessages.Resync,
            Body = Encoding.UTF8.GetString(WebhookMessages.OfResync(head, now)),
        };
    }

    public byte[] Content() => Update is null ? Encoding.UTF8.GetBytes(Body!) : WebhookMessages.OfUpdate(Update);

    /// <summary>The delivery after another attempt.</summary>
    public Delivery Attempted(string state, AttemptResult result, TimeSpan? nextAttempt) => this with
    {
        State = state,
        Attempt = Attempt + 1,
        WasAttempted = true,
        NextAttempt = nextAttempt,
        StatusCode = result.StatusCode,
        Attempts =
        [
            .. Attempts,
            new(result.At, Attempt + 1, result.StatusCode, Math.Round(result.Duration.TotalMilliseconds, 1), result.Error, result.Response),
        ],
    };
}
