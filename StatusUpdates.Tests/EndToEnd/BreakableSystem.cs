using StatusUpdates.Tests.Hosting;

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>
/// A second whole system, started when the first test asks for it, for tests that kill or stop its processes. They run one after the other, because
/// they would be in each other's way, and share it, because a start costs more than most of them. They keep apart by user.
/// </summary>
[CollectionDefinition(Name)]
public sealed class BreakableSystem : ICollectionFixture<BreakableSystem>, IAsyncDisposable
{
    public const string Name = "A system to break";

    private readonly Lazy<Task<TestAppHost>> _started = new(() => TestAppHost.StartAsync(CancellationToken.None));

    /// <summary>The app host, recovered from what the test before did to it.</summary>
    internal async Task<TestAppHost> HostAsync(CancellationToken cancellationToken)
    {
        var host = await _started.Value;
        await host.UntilHealthyAsync(cancellationToken);
        return host;
    }

    public async ValueTask DisposeAsync()
    {
        if (_started.IsValueCreated)
        {
            await (await _started.Value).DisposeAsync();
        }
    }
}
