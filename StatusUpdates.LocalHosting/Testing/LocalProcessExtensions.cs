using StatusUpdates.LocalHosting.Hosting;

namespace StatusUpdates.LocalHosting.Testing;

/// <summary>What only the local engine can tell. A test that uses it belongs between <c>#if !ASPIRE</c> and <c>#endif</c>.</summary>
public static class LocalProcessExtensions
{
    /// <summary>The ids of the processes that run for a resource now, one for each replica that runs.</summary>
    public static IReadOnlyList<int> GetProcessIds(this DistributedApplication app, string resourceName) =>
        [.. app.Engine.Board.All.Where(instance => instance.Resource.Name == resourceName && instance.ProcessId != 0).Select(instance => instance.ProcessId)];
}
