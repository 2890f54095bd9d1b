using System.Diagnostics;
using System.Globalization;
using StatusUpdates.LocalHosting.Native;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>An instance of the API in a process of its own, over another one's database and Redis, that can be killed, stopped and started again.</summary>
internal sealed class ApiProcess : IAsyncDisposable
{
    private readonly Dictionary<string, string?> _settings;
    private Process? _process;
    private Task _pumps = Task.CompletedTask;

    private ApiProcess(int port, Dictionary<string, string?> settings)
    {
        Address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));
        _settings = settings;
    }

    public Uri Address { get; }

    /// <summary>Resident set size in bytes (<c>VmRSS</c>).</summary>
    public long ResidentBytes
    {
        get
        {
            var line = File.ReadLines($"/proc/{_process!.Id}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
            return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
    }

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

        var api = new ApiProcess(LoopbackPort.FindFree(), all);
        await api.StartAsync();
        return api;
    }

    /// <summary>Starts it, at the same address as ever, and returns when it listens.</summary>
    public async Task StartAsync()
    {
        var start = new ProcessStartInfo(DotnetHost.Path, ["exec", Path.Combine(AppContext.BaseDirectory, "StatusUpdates.Api.dll")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_ENVIRONMENT"] = "Development";
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        start.Environment["ASPNETCORE_URLS"] = Address.GetLeftPart(UriPartial.Authority);
        foreach (var (key, value) in _settings)
        {
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        var process = _process = Process.Start(start)!;
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var lines = new System.Collections.Concurrent.ConcurrentQueue<string>();
        _pumps = Task.WhenAll(PumpAsync(process.StandardOutput, lines, started), PumpAsync(process.StandardError, lines, started));
        await Task.WhenAny(started.Task, process.WaitForExitAsync(TestTime.Token));
        Assert.True(started.Task.IsCompletedSuccessfully, $"The API did not start:\n{string.Join('\n', lines)}");
    }

    /// <summary>Kills it (SIGKILL).</summary>
    public Task KillAsync() => EndAsync(Posix.SigKill);

    /// <summary>Tells it to stop, and waits until it has drained and ended.</summary>
    public Task StopAsync() => EndAsync(Posix.SigTerm);

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await KillAsync();
        }

        _process?.Dispose();
    }

    private static async Task PumpAsync(StreamReader reader, System.Collections.Concurrent.ConcurrentQueue<string> lines, TaskCompletionSource started)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            if (started.Task.IsCompleted)
            {
                continue;
            }

            lines.Enqueue(line);
            if (line.Contains("Application started", StringComparison.Ordinal))
            {
                started.TrySetResult();
            }
        }
    }

    private async Task EndAsync(int signal)
    {
        Posix.Signal(_process!.Id, signal);
        await _process.WaitForExitAsync(TestTime.Token);
        await _pumps;
    }
}
