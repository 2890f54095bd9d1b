using System.Text;
using StatusUpdates.Data.Webhooks;
using StatusUpdates.Messaging;

namespace StatusUpdates.Worker.Webhooks;

/// <summary>A message on its way to one webhook.</summary>
internal sealed class Delivery
{
    private Delivery()
    {
    }

    public required string Id { get; init; }

    public required string MessageId { get; init; }

    public required string Type { get; init; }

    /// <summary>The update; null for a test or a resync.</summary>
    public StatusUpdate? Update { get; private init; }

    /// <summary>The message of what is no update.</summary>
    public string? Body { get; private init; }

    /// <summary>Its place on the page of the log; null for what has a row already.</summary>
    public int? PageIndex { get; private init; }

    public long? Seq { get; private init; }

    public string? GenerationId { get; private init; }

    public int Attempt { get; private init; }

    /// <summary>When its row was made; null while it has none.</summary>
    public DateTimeOffset? CreatedAt { get; private init; }

    public IReadOnlyList<DeliveryAttempt> Attempts { get; private init; } = [];

    /// <summary>What its place in the order is about.</summary>
    public string Chain => GenerationId ?? Id;

    public static Delivery Of(StoredDelivery stored) => new()
    {
        Id = stored.Id,
        MessageId = stored.MessageId,
        Type = stored.Type,
        Update = stored.Update,
        Body = stored.Body,
        Seq = stored.Seq,
        GenerationId = stored.GenerationId,
        Attempt = stored.Attempt,
        CreatedAt = stored.CreatedAt,
        Attempts = DeliveryAttempts.Parse(stored.Attempts),
    };

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

    /// <summary>It waits behind another one.</summary>
    public DeliveryOutcome Waiting() => Outcome(DeliveryState.Pending) with { Attempts = AttemptsOrNull(Attempts) };

    /// <summary>It can never be delivered.</summary>
    public DeliveryOutcome Lost() => Outcome(DeliveryState.Failed) with { Attempts = AttemptsOrNull(Attempts) };

    public DeliveryOutcome Attempted(string state, DateTimeOffset at, AttemptResult result, TimeSpan? nextAttempt) =>
        Outcome(state) with
        {
            Attempt = Attempt + 1,
            WasAttempted = true,
            NextAttempt = nextAttempt,
            StatusCode = result.StatusCode,
            Attempts = DeliveryAttempts.Encode(
            [
                .. Attempts,
                new(at, Attempt + 1, result.StatusCode, Math.Round(result.Duration.TotalMilliseconds, 1), result.Error, result.Response),
            ]),
        };

    /// <summary>When the present series of attempts began, as far as they are kept; null before the first.</summary>
    public DateTimeOffset? SeriesBeganAt =>
        Attempt == 0 ? null : (Attempts.LastOrDefault(a => a.Attempt == 1) ?? (Attempts.Count > 0 ? Attempts[0] : null))?.At ?? CreatedAt;

    private DeliveryOutcome Outcome(string state) => new()
    {
        Id = Id,
        Seq = Seq,
        GenerationId = GenerationId,
        MessageId = MessageId,
        Type = Type,
        Body = Body,
        State = state,
        Attempt = Attempt,
        WasAttempted = false,
    };

    private static string? AttemptsOrNull(IReadOnlyList<DeliveryAttempt> attempts) =>
        attempts.Count == 0 ? null : DeliveryAttempts.Encode(attempts);
}
