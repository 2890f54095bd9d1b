using StatusUpdates.LocalHosting.Engine;

namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>What became of a resource.</summary>
public sealed class ResourceEvent
{
    internal ResourceEvent(IResource resource, string resourceId)
    {
        Resource = resource;
        ResourceId = resourceId;
    }

    public IResource Resource { get; }

    /// <summary>The resource's name, or for one of several replicas its name with a number.</summary>
    public string ResourceId { get; }
}

/// <summary>Waits for resources. Thread-safe.</summary>
public sealed class ResourceNotificationService
{
    private readonly StateBoard _board;

    internal ResourceNotificationService(StateBoard board)
    {
        _board = board;
    }

    /// <summary>Completes when every replica of the resource is in that state (<see cref="KnownResourceStates.Running"/> unless given).</summary>
    /// <exception cref="DistributedApplicationException">There is no such resource.</exception>
    public Task WaitForResourceAsync(string resourceName, string? targetState = null, CancellationToken cancellationToken = default)
    {
        var state = targetState ?? KnownResourceStates.Running;
        return _board.UntilAsync(resourceName, instances => instances.All(instance => instance.State == state), cancellationToken);
    }

    /// <summary>Completes when every replica of the resource runs and its health check, if it has one, succeeds.</summary>
    /// <exception cref="DistributedApplicationException">There is no such resource, or it failed to start for good, or it was stopped.</exception>
    public async Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, CancellationToken cancellationToken = default)
    {
        var instances = await _board.UntilAsync(
            resourceName, all => all.All(instance => instance.IsHealthy) || all.Any(instance => instance.IsOver), cancellationToken);
        var lost = instances.FirstOrDefault(instance => instance.IsOver);
        return lost is null
            ? new ResourceEvent(instances[0].Resource, instances[0].Id)
            : throw new DistributedApplicationException($"Resource '{lost.Id}' will not become healthy: it is {lost.State}. {lost.Problem}".TrimEnd());
    }
}
