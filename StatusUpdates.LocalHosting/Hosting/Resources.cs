namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>A part of the app model.</summary>
public interface IResource
{
    /// <summary>Unique in the model.</summary>
    string Name { get; }
}

/// <summary>The resources of a model, in the order in which they were added.</summary>
public interface IResourceCollection : IReadOnlyCollection<IResource>;

/// <summary>A resource that others are connected to by a string.</summary>
public interface IResourceWithConnectionString : IResource
{
    /// <summary>Completes once the resource has its address, which is after its process was first started.</summary>
    ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default);
}

/// <summary>The base of all resources.</summary>
public abstract class Resource : IResource
{
    private protected Resource(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Name = name;
    }

    public string Name { get; }
}

/// <summary>What the parts of a connection are, by the names that Aspire gives their environment variables.</summary>
internal interface IConnectionProperties : IResourceWithConnectionString
{
    /// <exception cref="InvalidOperationException">The resource has no address yet.</exception>
    IEnumerable<(string Name, string Value)> ConnectionProperties { get; }
}
