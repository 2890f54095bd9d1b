namespace StatusUpdates.Data.Webhooks;

/// <summary>The names of webhooks, their cursors, deliveries and messages.</summary>
public static class WebhookIds
{
    private const string WebhookPrefix = "wh-";
    private const string DeliveryPrefix = "dlv-";

    /// <summary>A new webhook's id.</summary>
    public static string NewWebhook() => WebhookPrefix + Guid.CreateVersion7();

    /// <summary>A new delivery's id: later ones sort after earlier ones, bytewise.</summary>
    public static string NewDelivery() => DeliveryPrefix + Guid.CreateVersion7();

    /// <summary>The kind of webhooks' cursors.</summary>
    public const string CursorKind = "webhook";

    /// <summary>The owner's name of the webhook's cursor.</summary>
    public static string CursorOwner(string webhookId) => $"{CursorKind}:{webhookId}";

    /// <summary>The webhook of a cursor's owner.</summary>
    public static string WebhookOf(string cursorOwner) => cursorOwner[(CursorKind.Length + 1)..];

    /// <summary>The header <c>webhook-id</c> of an update, the same for every webhook and every attempt.</summary>
    public static string MessageOf(Guid updateId) => $"msg_{updateId:N}";

    /// <summary>The header <c>webhook-id</c> of what is no update.</summary>
    public static string MessageOf(string deliveryId) => MessageOf(Guid.Parse(deliveryId.AsSpan(DeliveryPrefix.Length)));

    /// <summary>Whether the database may be asked for it. What can be no id is not found, like an id that is nobody's.</summary>
    public static bool IsWebhook(string id) => HasForm(id, WebhookPrefix);

    /// <summary>Whether the database may be asked for it.</summary>
    public static bool IsDelivery(string id) => HasForm(id, DeliveryPrefix);

    private static bool HasForm(string id, string prefix) =>
        id.StartsWith(prefix, StringComparison.Ordinal) && Guid.TryParseExact(id.AsSpan(prefix.Length), "D", out _);
}
