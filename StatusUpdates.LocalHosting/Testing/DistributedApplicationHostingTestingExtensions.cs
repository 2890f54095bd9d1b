using StatusUpdates.LocalHosting.Hosting;

namespace StatusUpdates.LocalHosting.Testing;

public static class DistributedApplicationHostingTestingExtensions
{
    // Shared: a client per call must not mean a connection pool per call.
    private static readonly SocketsHttpHandler Handler = new() { PooledConnectionLifetime = TimeSpan.FromMinutes(2) };

    /// <summary>A client whose base address is the resource's endpoint.</summary>
    public static HttpClient CreateHttpClient(this DistributedApplication app, string resourceName, string? endpointName = null) =>
        new(Handler, disposeHandler: false) { BaseAddress = app.GetEndpoint(resourceName, endpointName) };

    /// <summary>The resource's connection string, once it has one.</summary>
    /// <exception cref="ArgumentException">There is no such resource, or it has no connection string.</exception>
    public static ValueTask<string?> GetConnectionStringAsync(
        this DistributedApplication app, string resourceName, CancellationToken cancellationToken = default) =>
        Find(app, resourceName) is IResourceWithConnectionString resource
            ? resource.GetConnectionStringAsync(cancellationToken)
            : throw new ArgumentException($"Resource '{resourceName}' has no connection string.", nameof(resourceName));

    /// <summary>The address of the resource's endpoint of that name, <c>http</c> unless given.</summary>
    /// <exception cref="ArgumentException">There is no such resource or endpoint.</exception>
    public static Uri GetEndpoint(this DistributedApplication app, string resourceName, string? endpointName = null) =>
        (Find(app, resourceName) as ProjectResource)?.FindEndpoint(endpointName ?? Uri.UriSchemeHttp) is { } endpoint
            ? new Uri(endpoint.Url)
            : throw new ArgumentException($"Resource '{resourceName}' has no endpoint '{endpointName ?? Uri.UriSchemeHttp}'.", nameof(resourceName));

    private static IResource Find(DistributedApplication app, string resourceName) =>
        app.Engine.Resources.FirstOrDefault(resource => resource.Name == resourceName)
            ?? throw new ArgumentException($"The application has no resource '{resourceName}'.", nameof(resourceName));
}
