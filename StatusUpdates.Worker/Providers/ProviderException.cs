namespace StatusUpdates.Worker.Providers;

/// <summary>The generation cannot be created, now or later: it fails, and the user sees the message.</summary>
public class ProviderException : Exception
{
    /// <summary>Creates it with a message for the user.</summary>
    public ProviderException(string message)
        : base(message)
    {
    }

    /// <summary>Creates it with a message for the user and the cause for the log.</summary>
    public ProviderException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
