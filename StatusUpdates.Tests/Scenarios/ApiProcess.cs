using System.Globalization;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>An instance of the API in a process of its own, over another one's database and Redis, that can be killed, stopped and started again.</summary>
internal sealed class ApiProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private ApiProcess(Uri address, Dictionary<string, string?> settings)
    {
        Address = address;
        _process = new ChildProcess(
            "StatusUpdates.Api.dll",
            settings.Append(KeyValuePair.Create("ASPNETCORE_ENVIRONMENT", (string?)"Development"))
                .Append(KeyValuePair.Create("ASPNETCORE_URLS", (string?)address.GetLeftPart(UriPartial.Authority))));
    }

    public Uri Address { get; }

    /// <summary>Resident set size in bytes (<c>VmRSS</c>).</summary>
    public long ResidentBytes
    {
        get
        {
            var line = File.ReadLines($"/proc/{_process.Id}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
            return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
    }

    /// <summary>A running instance whose clock leaps when it is told to: see <see cref="SkippedTime"/>.</summary>
    public static Task<ApiProcess> StartWithSkippedTimeAsync(TestApi beside, IReadOnlyDictionary<string, string?> settings) => StartAsync(
        beside,
        new Dictionary<string, string?>(settings)
        {
            ["DOTNET_STARTUP_HOOKS"] = typeof(ApiProcess).Assembly.Location,
            [SkippedTime.Variable] = "true",
        });

    public static async Task<ApiProcess> StartAsync(TestApi beside, IReadOnlyDictionary<string, string?>? settings = null)
    {
        var all = new Dictionary<string, string?>(TestTokens.Settings)
        {
            ["ConnectionStrings:statusdb"] = beside.Database.ConnectionString,
            ["ConnectionStrings:redis"] = beside.Redis.ConnectionString,
            ["StatusMessaging:ChannelPrefix"] = beside.Redis.ChannelPrefix,
        };
        foreach (var (key, value) in settings ?? new Dictionary<string, string?>())
        {
            all[key] = value;
        }

        var api = new ApiProcess(LoopbackPort.FindFreeAddress(), all);
        await api.StartAsync();
        return api;
    }

    /// <summary>Starts it, at the same address as ever, and returns when it listens.</summary>
    public Task StartAsync() => _process.StartAsync();

    /// <summary>Lets its clock leap on.</summary>
    public async Task SkipAsync(TimeSpan by)
    {
        var done = _process.LineAsync(SkippedTime.Skip);
        await _process.SayAsync(SkippedTime.Skip + by.ToString("c", CultureInfo.InvariantCulture));
        await done;
    }

    /// <summary>Kills it (SIGKILL).</summary>
    public Task KillAsync() => _process.EndAsync(Posix.SigKill);

    /// <summary>Tells it to stop, and waits until it has drained and ended.</summary>
    public Task StopAsync() => _process.EndAsync(Posix.SigTerm);

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
