using System.Runtime.CompilerServices;

namespace StatusUpdates.AppHost.Local;

internal static class ResourceWatch
{
    /// <summary>
    /// Yields, after each change, the latest event of every instance (each replica is one), in the order of their first appearance. Always the same
    /// collection, which changes with the next step.
    /// </summary>
    public static async IAsyncEnumerable<IReadOnlyCollection<ResourceEvent>> WatchAllAsync(
        this ResourceNotificationService notifications, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        OrderedDictionary<string, ResourceEvent> latest = [];
        await foreach (var change in notifications.WatchAsync(cancellationToken))
        {
            latest[change.ResourceId] = change;
            yield return latest.Values;
        }
    }
}
