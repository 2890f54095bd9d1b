namespace StatusUpdates.Data.Webhooks;

/// <summary>The states of a delivery.</summary>
public static class DeliveryState
{
    /// <summary>It is to be attempted, now or later.</summary>
    public const string Pending = "pending";

    /// <summary>It was acknowledged.</summary>
    public const string Delivered = "delivered";

    /// <summary>It was given up.</summary>
    public const string Failed = "failed";
}

/// <summary>Why nothing is delivered to a webhook.</summary>
public static class DisabledReason
{
    /// <summary>Its owner said so.</summary>
    public const string Owner = "owner";

    /// <summary>It answered 410.</summary>
    public const string Gone = "gone";

    /// <summary>Every attempt has failed, for as long as attempts are made.</summary>
    public const string Failing = "failing";
}
