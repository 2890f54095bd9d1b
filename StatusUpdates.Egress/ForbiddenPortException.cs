namespace StatusUpdates.Egress;

/// <summary>A URL has a port that may not be connected to; nothing was sent.</summary>
public sealed class ForbiddenPortException(string allowed) : Exception(TextOf(allowed))
{
    /// <summary>What is wrong, for the user who named the port.</summary>
    public static string TextOf(string allowed) => $"Must have one of the allowed ports: {allowed}.";

    /// <summary>Whether a request failed because of this: the HTTP client wraps what its connection threw.</summary>
    public static bool IsCauseOf(Exception? exception)
    {
        while (exception is not (null or ForbiddenPortException))
        {
            exception = exception.InnerException;
        }

        return exception is not null;
    }
}
