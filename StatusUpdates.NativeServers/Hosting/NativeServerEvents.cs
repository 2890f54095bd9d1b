using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.DependencyInjection;

namespace StatusUpdates.NativeServers.Hosting;

/// <summary>
/// Forwards a native server's events to the container resource that it replaces and to its databases. Aspire raises events only for resources in
/// the model, but its own handlers (which set the health check's connection string and create the databases) subscribe to the replaced resource's.
/// </summary>
internal static class NativeServerEvents
{
    public static void Forward(IDistributedApplicationBuilder builder, NativeServerResource server)
    {
        var eventing = builder.Eventing;
        IEnumerable<PostgresDatabaseResource> Databases() => builder.Resources.OfType<PostgresDatabaseResource>().Where(database => database.Parent == server.Replaced);

        // Non-blocking: handlers that read a connection string wait for an endpoint, which is allocated only after this event.
        eventing.Subscribe<ConnectionStringAvailableEvent>(server, async (available, cancellationToken) =>
        {
            foreach (var resource in (IResource[])[server.Replaced, .. Databases()])
            {
                await eventing.PublishAsync(
                    new ConnectionStringAvailableEvent(resource, available.Services), EventDispatchBehavior.NonBlockingSequential, cancellationToken);
            }
        });

        eventing.Subscribe<ResourceReadyEvent>(server, async (ready, cancellationToken) =>
        {
            // Creates the databases.
            await eventing.PublishAsync(new ResourceReadyEvent(server.Replaced, ready.Services), cancellationToken);
            await SetStateAsync(ready.Services, Databases(), KnownResourceStates.Running);
        });

        eventing.Subscribe<ResourceStoppedEvent>(server, (stopped, _) => SetStateAsync(stopped.Services, Databases(), KnownResourceStates.Exited));
    }

    private static async Task SetStateAsync(IServiceProvider services, IEnumerable<PostgresDatabaseResource> databases, string state)
    {
        var notifications = services.GetRequiredService<ResourceNotificationService>();
        foreach (var database in databases)
        {
            await notifications.PublishUpdateAsync(database, snapshot => snapshot with { State = state });
        }
    }
}
