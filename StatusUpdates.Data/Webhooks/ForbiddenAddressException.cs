namespace StatusUpdates.Data.Webhooks;

/// <summary>
/// A host's address is one that webhooks may not lead to; nothing was sent. Its message may be shown to the webhook's owner: it says neither
/// the address nor what is there.
/// </summary>
public sealed class ForbiddenAddressException() : Exception(Text)
{
    /// <summary>Its stable name.</summary>
    public const string Reason = "forbidden_address";

    /// <summary>Its message.</summary>
    internal const string Text = "Must not lead to a loopback, private or otherwise reserved address.";

    /// <summary>Whether this is why a request failed: the HTTP client wraps what its connection threw.</summary>
    public static bool IsCauseOf(Exception? exception)
    {
        while (exception is not (null or ForbiddenAddressException))
        {
            exception = exception.InnerException;
        }

        return exception is not null;
    }
}
