using Aspire.Hosting.Eventing;
using Aspire.Hosting.Lifecycle;
using Microsoft.Extensions.Configuration;
using StatusUpdates.NativeServers.Hosting;

#pragma warning disable ASPIRECERTIFICATES001 // HttpsCertificateAnnotation is marked as experimental.

namespace StatusUpdates.AppHost.Local;

/// <summary>
/// Prepares a local run before it starts. A subscriber, because it must run after Aspire's own, which adds the dashboard to the model.
/// </summary>
internal sealed class LocalRunEvents(IConfiguration configuration, NativeServerSettings settings, TimeProvider time)
    : IDistributedApplicationEventingSubscriber
{
    public Task SubscribeAsync(IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
    {
        eventing.Subscribe<BeforeStartEvent>(async (started, stopping) =>
        {
            await PortCheck.ThrowIfTakenAsync(started.Model, configuration, settings, time, stopping);
            DisableCertificates(started.Model);
        });
        return Task.CompletedTask;
    }

    // Aspire warns about a missing development certificate wherever one could be used. Resources that serve only plain HTTP need none.
    private static void DisableCertificates(DistributedApplicationModel model)
    {
        foreach (var resource in model.Resources.Where(resource => !resource.Annotations.OfType<EndpointAnnotation>().Any(endpoint => endpoint.UriScheme == "https")))
        {
            resource.Annotations.Add(new HttpsCertificateAnnotation { UseDeveloperCertificate = false });
        }
    }
}
