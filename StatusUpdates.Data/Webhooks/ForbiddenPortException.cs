namespace StatusUpdates.Data.Webhooks;

/// <summary>A URL's port is one that webhooks may not lead to; nothing was sent.</summary>
public sealed class ForbiddenPortException(string allowed) : Exception(TextOf(allowed))
{
    /// <summary>What is wrong, for the webhook's owner.</summary>
    internal static string TextOf(string allowed) => $"Must have one of the ports that are allowed: {allowed}.";

    /// <summary>Whether this is why a request failed: the HTTP client wraps what its connection threw.</summary>
    public static bool IsCauseOf(Exception? exception)
    {
        while (exception is not (null or ForbiddenPortException))
        {
            exception = exception.InnerException;
        }

        return exception is not null;
    }
}
