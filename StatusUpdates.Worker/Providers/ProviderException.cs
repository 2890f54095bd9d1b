namespace StatusUpdates.Worker.Providers;

/// <summary>A generation cannot be made, now or later: it fails, and the user reads the message.</summary>
public class ProviderException : Exception
{
    /// <summary>With a message for the user.</summary>
    public ProviderException(string message)
        : base(message)
    {
    }

    /// <summary>With a message for the user and the cause for the log.</summary>
    public ProviderException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
