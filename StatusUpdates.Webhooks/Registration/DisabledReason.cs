namespace StatusUpdates.Webhooks.Registration;

/// <summary>Why a webhook is disabled.</summary>
internal static class DisabledReason
{
    /// <summary>Its owner disabled it.</summary>
    public const string Owner = "owner";

    /// <summary>It answered 410.</summary>
    public const string Gone = "gone";

    /// <summary>Every attempt has failed, for as long as attempts are made.</summary>
    public const string Failing = "failing";
}
