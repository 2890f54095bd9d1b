using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.Tests.Api;

/// <summary>
/// One API for those tests of a class that leave it as it is and keep apart by their users, because a start costs more than most of them do.
/// A test that changes, stops or counts what all see starts its own. The tests of a class run one after another.
/// </summary>
public sealed class SharedApi(TestServers servers) : IAsyncDisposable
{
    private Task<TestApi>? _api;
    private ITestOutputHelper? _output;

    /// <summary>A user that no other test has.</summary>
    public static string NewUser(string name = "user") => $"{name}-{Guid.NewGuid():N}";

    /// <summary>The API, started when the first test asks for it.</summary>
    internal Task<TestApi> ApiAsync() => ApiAsync(() => TestApi.StartAsync(servers));

    /// <summary>As above, with settings of the class.</summary>
    /// <param name="start">How it is started; the same for all tests of the class.</param>
    internal Task<TestApi> ApiAsync(Func<Task<TestApi>> start)
    {
        _output = TestContext.Current.TestOutputHelper;
        if (_api is null)
        {
            // It outlives the test that asks first: neither that test's time nor its output may be taken for the server's.
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
