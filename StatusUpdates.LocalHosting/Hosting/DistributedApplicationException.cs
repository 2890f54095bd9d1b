namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>The app model cannot be run as described, or a resource of it failed.</summary>
public class DistributedApplicationException : Exception
{
    public DistributedApplicationException()
    {
    }

    public DistributedApplicationException(string message)
        : base(message)
    {
    }

    public DistributedApplicationException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
