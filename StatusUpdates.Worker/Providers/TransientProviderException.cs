namespace StatusUpdates.Worker.Providers;

/// <summary>
/// The generation cannot be created now, but maybe later: a service is busy, restarting, or asks for a pause. It is retried after a back-off, and
/// fails with this message after the last failure allowed.
/// </summary>
public sealed class TransientProviderException : ProviderException
{
    /// <summary>Creates it with a message for the user.</summary>
    public TransientProviderException(string message)
        : base(message)
    {
    }

    /// <summary>Creates it with a message for the user and the cause for the log.</summary>
    public TransientProviderException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>How long the service asks to wait (RFC 9110, section 10.2.3): the next attempt begins no sooner. More than a day counts as a day.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
