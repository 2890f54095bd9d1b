using Microsoft.Extensions.Hosting;

namespace StatusUpdates.AppHost.Local;

/// <summary>
/// Stops the projects before the servers when the application stops. The orchestrator would stop all at once, and a worker that has lost its
/// database cannot release its generations.
/// </summary>
internal sealed class ServicesStopFirst(ResourceNotificationService notifications, ResourceCommandService commands) : BackgroundService
{
    /// <summary>The orchestrator kills a process that has not exited 6 s after SIGTERM.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(8);

    private volatile IReadOnlyCollection<ResourceEvent> _instances = [];

    // Stopped first because it is registered last: the orchestrator's own service is still running.
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        var running = _instances.Where(instance => instance.Resource is ProjectResource && instance.Snapshot.State?.Text == KnownResourceStates.Running).ToList();
        await base.StopAsync(cancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Timeout);
        try
        {
            await Task.WhenAll(running.Select(instance => commands.ExecuteCommandAsync(instance.ResourceId, KnownResourceCommands.StopCommand, limit.Token)));
        }
        catch (OperationCanceledException)
        {
            // The orchestrator stops the rest.
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var instances in notifications.WatchAllAsync(stoppingToken))
        {
            _instances = [.. instances];
        }
    }
}
