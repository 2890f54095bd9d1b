namespace StatusUpdates.Worker.Providers;

/// <summary>
/// A generation cannot be made now, and may be made later: a service is busy, restarts, or asks for a pause. It is tried again after a
/// back-off, and fails with this message when its failures are used up.
/// </summary>
public sealed class TransientProviderException : ProviderException
{
    /// <summary>With a message for the user.</summary>
    public TransientProviderException(string message)
        : base(message)
    {
    }

    /// <summary>With a message for the user and the cause for the log.</summary>
    public TransientProviderException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>How long the service asks to be left alone (RFC 9110, section 10.2.3): the next try comes no sooner. A day at most is waited.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
