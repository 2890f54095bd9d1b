using System.Globalization;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>An API instance in a separate process, with the database and Redis of another one. It can be killed, stopped and restarted.</summary>
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

    /// <summary>Starts an instance whose clock can skip ahead: see <see cref="SkippedTime"/>.</summary>
    public static Task<ApiProcess> StartWithSkippedTimeAsync(TestApi other, IReadOnlyDictionary<string, string?> settings) => StartAsync(
        other,
        new Dictionary<string, string?>(settings)
        {
            ["DOTNET_STARTUP_HOOKS"] = typeof(ApiProcess).Assembly.Location,
            [SkippedTime.Variable] = "true",
        });

    public static async Task<ApiProcess> StartAsync(TestApi other, IReadOnlyDictionary<string, string?>? settings = null)
    {
        var all = new Dictionary<string, string?>(TestTokens.Settings)
        {
            ["ConnectionStrings:statusdb"] = other.Database.ConnectionString,
            ["ConnectionStrings:redis"] = other.Redis.ConnectionString,
            ["StatusMessaging:ChannelPrefix"] = other.Redis.ChannelPrefix,
            ["Results:Folder"] = other.Database.ResultsFolder,
        };
        foreach (var (key, value) in settings ?? new Dictionary<string, string?>())
        {
            all[key] = value;
        }

        var api = new ApiProcess(LoopbackPort.FindFreeAddress(), all);
        await api.StartAsync();
        return api;
    }

    /// <summary>Starts the instance, always at the same address, and returns when it listens.</summary>
    public Task StartAsync() => _process.StartAsync();

    /// <summary>Makes the instance's clock skip ahead.</summary>
    public async Task SkipAsync(TimeSpan by)
    {
        var done = _process.LineAsync(SkippedTime.Skip);
        await _process.WriteLineAsync(SkippedTime.Skip + by.ToString("c", CultureInfo.InvariantCulture));
        await done;
    }

    /// <summary>Kills the instance (SIGKILL).</summary>
    public Task KillAsync() => _process.EndAsync(Posix.SigKill);

    /// <summary>Stops the instance (SIGTERM) and waits until it has drained and ended.</summary>
    public Task StopAsync() => _process.EndAsync(Posix.SigTerm);

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
