namespace StatusUpdates.Egress;

/// <summary>
/// A host has an address that may not be connected to; nothing was sent. The message may be shown to the user who named the host: it reveals
/// neither the address nor what is there.
/// </summary>
public sealed class ForbiddenAddressException() : Exception(Text)
{
    /// <summary>The stable name of this error.</summary>
    public const string Reason = "forbidden_address";

    /// <summary>The message.</summary>
    public const string Text = "Must not point to a loopback, private or otherwise reserved address.";

    /// <summary>Whether a request failed because of this: the HTTP client wraps what its connection threw.</summary>
    public static bool IsCauseOf(Exception? exception)
    {
        while (exception is not (null or ForbiddenAddressException))
        {
            exception = exception.InnerException;
        }

        return exception is not null;
    }
}
