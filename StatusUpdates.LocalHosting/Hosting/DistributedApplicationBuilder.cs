using System.Collections;
using Microsoft.Extensions.Configuration;
using StatusUpdates.LocalHosting.Engine;

namespace StatusUpdates.LocalHosting.Hosting;

internal sealed class DistributedApplicationBuilder(
    EngineSettings settings, AppHostInterception? interception, IConfigurationManager configuration) : IDistributedApplicationBuilder
{
    private readonly ResourceCollection _resources = new();

    public IResourceCollection Resources => _resources;

    public IConfigurationManager Configuration => configuration;

    public EngineSettings Settings { get; } = settings;

    public IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource
    {
        _resources.Add(resource);
        return new ResourceBuilder<T>(resource, this);
    }

    public DistributedApplication Build()
    {
        var application = new DistributedApplication(new LocalEngine(Settings, _resources), interception);
        interception?.Built(this, application);
        return application;
    }

    private sealed class ResourceCollection : IResourceCollection
    {
        private readonly List<IResource> _items = [];

        public int Count => _items.Count;

        public void Add(IResource resource)
        {
            if (_items.Exists(other => string.Equals(other.Name, resource.Name, StringComparison.OrdinalIgnoreCase)))
            {
                throw new DistributedApplicationException($"Cannot add resource '{resource.Name}': there is one of that name already.");
            }

            _items.Add(resource);
        }

        public IEnumerator<IResource> GetEnumerator() => _items.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
