using Aspire.Hosting.ApplicationModel;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.NativeServers.Hosting;

/// <summary>
/// Stands in the model for a container resource that runs as a native process. It has the other's name and shares its annotations, so that
/// whatever was or will be said of the one (endpoints, health checks, commands, waits) holds for the other, whichever of them is asked. The
/// process that the orchestrator starts is a <see cref="Native.Guard"/>, which stops the server when the app host is gone.
/// </summary>
internal sealed class NativeServerResource(IResourceWithConnectionString replaced, string specFile, string workingDirectory)
    : ExecutableResource(replaced.Name, DotnetHost.Path, workingDirectory), IResourceWithConnectionString
{
    public IResourceWithConnectionString Replaced => replaced;

    public IReadOnlyList<string> Arguments { get; } = ["exec", DotnetHost.OwnAssembly, Guard.Command, specFile];

    public override ResourceAnnotationCollection Annotations => replaced.Annotations;

    public ReferenceExpression ConnectionStringExpression => replaced.ConnectionStringExpression;

    public IEnumerable<KeyValuePair<string, ReferenceExpression>> GetConnectionProperties() => replaced.GetConnectionProperties();
}
