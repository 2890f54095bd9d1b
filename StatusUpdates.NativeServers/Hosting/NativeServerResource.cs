using Aspire.Hosting.ApplicationModel;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.NativeServers.Hosting;

/// <summary>
/// Replaces, in the model, a container resource that runs as a native process. It has the same name and shares the annotations: everything
/// configured on one of the two, before or after the replacement (endpoints, health checks, commands, waits), applies to both. The orchestrator
/// starts a <see cref="Native.Guard"/>, which stops the server when the app host is gone.
/// </summary>
internal sealed class NativeServerResource(IResourceWithConnectionString replaced, string workingDirectory)
    : ExecutableResource(replaced.Name, DotnetHost.Path, workingDirectory), IResourceWithConnectionString
{
    public IResourceWithConnectionString Replaced => replaced;

    public override ResourceAnnotationCollection Annotations => replaced.Annotations;

    public ReferenceExpression ConnectionStringExpression => replaced.ConnectionStringExpression;

    public IEnumerable<KeyValuePair<string, ReferenceExpression>> GetConnectionProperties() => replaced.GetConnectionProperties();
}
