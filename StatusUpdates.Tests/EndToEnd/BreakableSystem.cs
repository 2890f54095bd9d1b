using StatusUpdates.Tests.Hosting;

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>
/// A second whole system, started on first use, for tests that kill or stop its processes. These tests run one after the other, because they
/// would disturb each other, and share the system, because starting it takes longer than most of them. Each test uses its own users.
/// </summary>
[CollectionDefinition(Name)]
public sealed class BreakableSystem : ICollectionFixture<BreakableSystem>, IAsyncDisposable
{
    public const string Name = "Breakable system";

    private readonly Lazy<Task<TestAppHost>> _started = new(() => TestAppHost.StartAsync(CancellationToken.None));

    /// <summary>The app host, once it has recovered from the previous test.</summary>
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
