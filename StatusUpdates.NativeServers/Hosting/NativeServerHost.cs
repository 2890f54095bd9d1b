using System.Runtime.CompilerServices;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.NativeServers.Native;

#pragma warning disable ASPIRECERTIFICATES001 // Certificates of container images are marked as experimental.

namespace StatusUpdates.NativeServers.Hosting;

/// <summary>The native servers of one app host: adds them to the model and prepares them when the application starts.</summary>
internal sealed class NativeServerHost : IDisposable
{
    private static readonly ConditionalWeakTable<IDistributedApplicationBuilder, NativeServerHost> Hosts = [];

    private readonly IDistributedApplicationBuilder _builder;
    private readonly List<(NativeServerResource Resource, INativeServer Server)> _servers = [];
    private FileStream? _lock;

    private NativeServerHost(IDistributedApplicationBuilder builder, NativeServerSettings settings)
    {
        _builder = builder;
        Settings = settings;
        builder.Eventing.Subscribe<BeforeStartEvent>((started, cancellationToken) => OpenAsync(started.Services, cancellationToken));
    }

    public NativeServerSettings Settings { get; }

    /// <returns>Null if containers are used instead, or nothing is to run.</returns>
    /// <exception cref="DistributedApplicationException">A setting is out of range.</exception>
    public static NativeServerHost? For(IDistributedApplicationBuilder builder)
    {
        if (!builder.ExecutionContext.IsRunMode)
        {
            return null;
        }

        var settings = NativeServerSettings.From(builder.Configuration, builder.AppHostDirectory);
        return settings.Mode == NativeServerMode.Always || (settings.Mode == NativeServerMode.Auto && !ContainerRuntime.IsAvailable)
            ? Hosts.GetValue(builder, key => new NativeServerHost(key, settings))
            : null;
    }

    /// <summary>Replaces the container resource in the model with a native server of the same name.</summary>
    public void Replace<T>(IResourceBuilder<T> original, INativeServer server)
        where T : ContainerResource, IResourceWithConnectionString
    {
        if (_builder.Resources.All(resource => resource != (IResource)original.Resource))
        {
            return; // Already replaced.
        }

        // Settings of the container's inside, including its image's arguments and variables, do not apply to the native server.
        var annotations = original.Resource.Annotations;
        foreach (var annotation in annotations.Where(IsContainerOnly).ToList())
        {
            annotations.Remove(annotation);
        }

        var endpoint = annotations.OfType<EndpointAnnotation>().Single();
        var port = Settings.PortOf(original.Resource.Name, endpoint.Port);
        endpoint.Port = endpoint.TargetPort = port != 0 ? port : LoopbackPort.FindFree();
        endpoint.TargetHost = "127.0.0.1";
        endpoint.IsProxied = false;

        var resource = new NativeServerResource(original.Resource, Settings.StateDirectory);
        _builder.Resources.Remove(original.Resource);
        _builder.AddResource(resource)
            .WithArgs("exec", DotnetHost.OwnAssembly, Guard.Command, Settings.SpecFileOf(resource.Name))
            .WithInitialState(new() { ResourceType = server.Name, Properties = [] });
        _servers.Add((resource, server));
        _builder.Eventing.Subscribe<BeforeResourceStartedEvent>(
            resource, (_, cancellationToken) => PrepareAsync(resource, server, endpoint.Port.Value, cancellationToken));
        NativeServerEvents.Forward(_builder, resource);
    }

    public void Dispose()
    {
        if (_lock is not null)
        {
            _servers.ForEach(server => File.Delete(Settings.SpecFileOf(server.Resource.Name)));
            _lock.Dispose();
            _lock = null;
        }
    }

    private static bool IsContainerOnly(IResourceAnnotation annotation) => annotation
        is ContainerImageAnnotation
        or ContainerMountAnnotation
        or HttpsCertificateConfigurationCallbackAnnotation
        or CertificateTrustConfigurationCallbackAnnotation
        or CommandLineArgsCallbackAnnotation
        or EnvironmentCallbackAnnotation;

    // Runs before anything starts: a problem that prevents the whole run gives a single message.
    private async Task OpenAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        Posix.ThrowIfUnsupported();
        _lock = await StateDirectory.LockAsync(Settings.StateDirectory, cancellationToken);
        services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopped.Register(Dispose);
        foreach (var (_, server) in _servers)
        {
            await server.FindProgramsAsync(cancellationToken);
        }
    }

    private async Task PrepareAsync(NativeServerResource resource, INativeServer server, int port, CancellationToken cancellationToken)
    {
        var spec = await server.PrepareAsync(port, cancellationToken);
        spec = spec with { Owner = ProcessIdentity.Of(Environment.ProcessId) };
        await PrivateFile.WriteAsync(Settings.SpecFileOf(resource.Name), JsonSerializer.Serialize(spec, GuardJson.Default.GuardSpec), cancellationToken);
    }
}
