using Microsoft.Extensions.Hosting;

namespace StatusUpdates.AppHost.Local;

/// <summary>
/// Stops the projects before the servers when the application stops. The orchestrator ends all at once, and a worker that has lost its database can
/// hand nothing back.
/// </summary>
internal sealed class ServicesStopFirst(ResourceNotificationService notifications, ResourceCommandService commands) : BackgroundService
{
    /// <summary>The orchestrator kills what has not ended 6 s after SIGTERM.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(8);

    private volatile IReadOnlyCollection<ResourceEvent> _instances = [];

    // Stopped first, because it is registered last: the orchestrator's own service is still there.
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        var running = _instances.Where(instance => instance.Resource is ProjectResource && instance.Snapshot.State?.Text == KnownResourceStates.Running).ToList();
        await base.StopAsync(cancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        try
        {
            await Task.WhenAll(running.Select(instance => commands.ExecuteCommandAsync(instance.ResourceId, KnownResourceCommands.StopCommand, limit.Token)));
        }
        catch (OperationCanceledException)
        {
            // Whatever takes longer is the orchestrator's to end.
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var instances in notifications.WatchAllAsync(stoppingToken))
            {
                _instances = [.. instances];
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The application stops.
        }
    }
}
