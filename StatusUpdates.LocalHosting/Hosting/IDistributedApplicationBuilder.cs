using Microsoft.Extensions.Configuration;

namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>Collects the app model.</summary>
public interface IDistributedApplicationBuilder
{
    IResourceCollection Resources { get; }

    /// <summary>The AppHost's own configuration: the environment, and arguments such as <c>--section:key=value</c>, which win.</summary>
    IConfigurationManager Configuration { get; }

    /// <summary>Adds a resource, whose name must be new.</summary>
    IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource;

    DistributedApplication Build();
}
