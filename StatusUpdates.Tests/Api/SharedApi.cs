using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.Tests.Api;

/// <summary>
/// One API for the tests of a class that do not change it and use separate users, because a start takes longer than most of these tests.
/// A test that changes, stops or counts anything shared starts its own API. The tests of a class run one after another.
/// </summary>
public sealed class SharedApi(TestServers servers) : IAsyncDisposable
{
    private Task<TestApi>? _api;
    private ITestOutputHelper? _output;

    /// <summary>A user id that no other test uses.</summary>
    public static string NewUser(string name = "user") => $"{name}-{Guid.NewGuid():N}";

    /// <summary>The API, started on first use.</summary>
    internal Task<TestApi> ApiAsync() => ApiAsync(() => TestApi.StartAsync(servers));

    /// <summary>As above, with the settings of the class.</summary>
    /// <param name="start">Starts the API; the same for all tests of the class.</param>
    internal Task<TestApi> ApiAsync(Func<Task<TestApi>> start)
    {
        _output = TestContext.Current.TestOutputHelper;
        if (_api is null)
        {
            // The API outlives the test that starts it, so it must not inherit that test's time limit or output.
            using (ExecutionContext.SuppressFlow())
            {
                _api = Task.Run(() => StartAsync(start));
            }
        }

        return _api.WaitAsync(TestTime.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_api is not null)
        {
            await (await _api).DisposeAsync();
        }
    }

    private async Task<TestApi> StartAsync(Func<Task<TestApi>> start)
    {
        var api = await start();
        api.App.Services.GetRequiredService<ILoggerFactory>().AddProvider(new TestOutputLogging(() => _output));
        return api;
    }
}
