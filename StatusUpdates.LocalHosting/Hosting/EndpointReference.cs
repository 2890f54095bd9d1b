namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>An endpoint by name, to be resolved when the application runs.</summary>
public sealed class EndpointReference
{
    internal EndpointReference(ProjectResource resource, string endpointName)
    {
        Project = resource;
        EndpointName = endpointName;
    }

    public string EndpointName { get; }

    /// <exception cref="DistributedApplicationException">The resource has no endpoint of that name.</exception>
    /// <exception cref="InvalidOperationException">The application was not started.</exception>
    public string Url => (Project.FindEndpoint(EndpointName)
        ?? throw new DistributedApplicationException($"Resource '{Project.Name}' has no endpoint named '{EndpointName}'.")).Url;

    internal ProjectResource Project { get; }
}
