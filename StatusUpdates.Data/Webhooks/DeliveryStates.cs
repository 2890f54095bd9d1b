namespace StatusUpdates.Data.Webhooks;

/// <summary>The states of a delivery, as they are stored and shown.</summary>
public static class DeliveryStates
{
    /// <summary>To be attempted, for the first time or again.</summary>
    public const string Pending = "pending";

    /// <summary>Taken by the receiver.</summary>
    public const string Delivered = "delivered";

    /// <summary>Given up.</summary>
    public const string Failed = "failed";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Pending, Delivered, Failed];
}

/// <summary>Why nothing is delivered to a webhook, as it is stored and shown.</summary>
public static class DisabledReasons
{
    /// <summary>Its owner wants it so.</summary>
    public const string Owner = "owner";

    /// <summary>It answered 410 (Gone).</summary>
    public const string Gone = "gone";

    /// <summary>It has failed for days.</summary>
    public const string Failing = "failing";
}
