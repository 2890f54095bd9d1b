namespace StatusUpdates.Webhooks.Messages;

/// <summary>The ids of webhooks, their cursors, deliveries and messages.</summary>
public static class WebhookIds
{
    /// <summary>The kind of webhooks' cursors.</summary>
    public const string CursorKind = "webhook";

    private const string WebhookPrefix = "wh-";
    private const string DeliveryPrefix = "dlv-";

    /// <summary>A new webhook's id.</summary>
    public static string NewWebhook() => WebhookPrefix + Guid.CreateVersion7();

    /// <summary>A new delivery's id: later ones sort after earlier ones, bytewise.</summary>
    public static string NewDelivery() => DeliveryPrefix + Guid.CreateVersion7();

    /// <summary>The owner id of a webhook's cursor.</summary>
    public static string CursorOwner(string webhookId) => $"{CursorKind}:{webhookId}";

    /// <summary>The webhook of a cursor's owner id.</summary>
    public static string WebhookOf(string cursorOwner) => cursorOwner[(CursorKind.Length + 1)..];

    /// <summary>The header <c>webhook-id</c> of an update, the same for every webhook and every attempt.</summary>
    public static string MessageOf(Guid updateId) => $"msg_{updateId:N}";

    /// <summary>The header <c>webhook-id</c> of a message that is not an update.</summary>
    public static string MessageOf(string deliveryId) => MessageOf(Guid.Parse(deliveryId.AsSpan(DeliveryPrefix.Length)));

    /// <summary>Whether it has the form of a webhook's id; anything else is treated as unknown, without a query.</summary>
    public static bool IsWebhook(string id) => HasForm(id, WebhookPrefix);

    /// <summary>Whether it has the form of a delivery's id.</summary>
    public static bool IsDelivery(string id) => HasForm(id, DeliveryPrefix);

    private static bool HasForm(string id, string prefix) =>
        id.StartsWith(prefix, StringComparison.Ordinal) && Guid.TryParseExact(id.AsSpan(prefix.Length), "D", out _);
}
