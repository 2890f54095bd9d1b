using Aspire.Hosting.Eventing;
using Aspire.Hosting.Lifecycle;
using Microsoft.Extensions.Configuration;
using StatusUpdates.NativeServers.Hosting;

#pragma warning disable ASPIRECERTIFICATES001 // HttpsCertificateAnnotation is marked as experimental.

namespace StatusUpdates.AppHost.Local;

/// <summary>What a local run does before it starts. A subscriber, so that it comes after Aspire's own, which puts the dashboard into the model.</summary>
internal sealed class LocalRunEvents(IConfiguration configuration, NativeServerSettings settings, CrashRestarts restarts, TimeProvider time)
    : IDistributedApplicationEventingSubscriber
{
    public Task SubscribeAsync(IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
    {
        restarts.Subscribe(eventing);
        eventing.Subscribe<BeforeStartEvent>(async (started, stopping) =>
        {
            await PortCheck.ThrowIfTakenAsync(started.Model, configuration, settings, time, stopping);
            AskForNoCertificate(started.Model);
        });
        return Task.CompletedTask;
    }

    // Aspire warns of a missing development certificate wherever one could be used. Who serves plain HTTP alone needs none.
    private static void AskForNoCertificate(DistributedApplicationModel model)
    {
        foreach (var resource in model.Resources.Where(resource => !resource.Annotations.OfType<EndpointAnnotation>().Any(endpoint => endpoint.UriScheme == "https")))
        {
            resource.Annotations.Add(new HttpsCertificateAnnotation { UseDeveloperCertificate = false });
        }
    }
}
