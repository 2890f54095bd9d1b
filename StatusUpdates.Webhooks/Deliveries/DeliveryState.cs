namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>The states of a delivery.</summary>
public static class DeliveryState
{
    /// <summary>It will be attempted, now or later.</summary>
    public const string Pending = "pending";

    /// <summary>It was acknowledged.</summary>
    public const string Delivered = "delivered";

    /// <summary>It was given up.</summary>
    public const string Failed = "failed";

    public static IReadOnlyList<string> All { get; } = [Pending, Delivered, Failed];
}
