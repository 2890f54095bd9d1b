namespace StatusUpdates.Worker.Providers;

/// <summary>A generation cannot be made; the message is for the user.</summary>
public sealed class ProviderException : Exception
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
