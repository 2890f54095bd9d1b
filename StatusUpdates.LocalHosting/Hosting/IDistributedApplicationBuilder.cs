namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>Collects the app model.</summary>
public interface IDistributedApplicationBuilder
{
    IResourceCollection Resources { get; }

    /// <summary>Adds a resource, whose name must be new.</summary>
    IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource;

    DistributedApplication Build();
}
