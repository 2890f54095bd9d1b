using System.Runtime.CompilerServices;

namespace StatusUpdates.AppHost.Local;

internal static class ResourceWatch
{
    /// <summary>
    /// The latest of every instance (a replica is one), in the order in which they appeared, again after each change. The collection is the same
    /// each time and changes with the next step.
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
