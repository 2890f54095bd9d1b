using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

/// <summary>The real AppHost as a process of its own, with state and ports of its own, so that it can be killed.</summary>
internal sealed class AppHostProcess : IAsyncDisposable
{
    // Its own output: what was copied beside the tests lacks the assemblies that the tests have from the shared framework.
    private static readonly string ProgramPath = Path.Combine(
        Projects.StatusUpdates_AppHost.ProjectPath, "bin", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, "net10.0", "StatusUpdates.AppHost.dll");

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _pumps;

    private AppHostProcess(Process process)
    {
        _process = process;
        _pumps = Task.WhenAll(PumpAsync(process.StandardOutput), PumpAsync(process.StandardError));
    }

    public string Output => string.Join('\n', _lines);

    public static AppHostProcess Start(string stateDirectory, IReadOnlyDictionary<string, int> ports)
    {
        var start = new ProcessStartInfo(DotnetHost.Path, ["exec", ProgramPath])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Projects.StatusUpdates_AppHost.ProjectPath,
        };
        // As the launch profile sets them, with ports of its own for the dashboard.
        start.Environment["DOTNET_ENVIRONMENT"] = start.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        start.Environment["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true";
        start.Environment["ASPNETCORE_URLS"] = $"http://localhost:{ports["dashboard"]}";
        start.Environment["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = $"http://localhost:{ports["telemetry"]}";
        start.Environment["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = $"http://localhost:{ports["resources"]}";
        start.Environment["NativeServers__Mode"] = "Always";
        start.Environment["NativeServers__StateDirectory"] = stateDirectory;
        start.Environment["NativeServers__Ports__postgres"] = $"{ports["postgres"]}";
        start.Environment["NativeServers__Ports__redis"] = $"{ports["redis"]}";
        start.Environment["Ports__api"] = $"{ports["api"]}";

        // Nobody's secrets are read or written, and whatever token stands in the environment of who runs the tests is not to be used by them.
        start.Environment["Parameters__postgres-password"] = "of-a-test";
        start.Environment["Parameters__redis-password"] = "of-a-test";
        start.Environment["Parameters__jwt-signing-key"] = Convert.ToBase64String(new byte[48]);
        start.Environment.Remove("TELEGRAM_BOT_TOKEN");
        start.Environment.Remove("Parameters__telegram-bot-token");

        return new AppHostProcess(Process.Start(start) ?? throw new InvalidOperationException("the AppHost did not start"));
    }

    /// <summary>Runs it to its end, for what ends by itself: publishing, or a start that fails.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(
        string[] arguments, IReadOnlyDictionary<string, string> environment, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(DotnetHost.Path, ["exec", ProgramPath, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Projects.StatusUpdates_AppHost.ProjectPath,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        await using var process = new AppHostProcess(Process.Start(start) ?? throw new InvalidOperationException("the AppHost did not start"));
        var exitCode = await process.UntilExitAsync(cancellationToken);
        return (exitCode, process.Output);
    }

    /// <summary>Completes when it says that all is up.</summary>
    public async Task UntilReadyAsync(CancellationToken cancellationToken)
    {
        var exited = _process.WaitForExitAsync(cancellationToken);
        await Task.WhenAny(_ready.Task, exited, Task.Delay(TimeSpan.FromSeconds(180), cancellationToken));
        Assert.True(_ready.Task.IsCompletedSuccessfully, $"The AppHost did not become ready:\n{Output}");
    }

    public async Task<int> UntilExitAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        await _pumps.WaitAsync(cancellationToken);
        return _process.ExitCode;
    }

    public void Signal(int signal) => Posix.Signal(_process.Id, signal);

    /// <summary>Ctrl+C; where whoever started the tests made them deaf to it (a shell does so with what runs in its background), SIGTERM.</summary>
    public void Interrupt() => Signal(IsDeafToInterrupts() ? Posix.SigTerm : Posix.SigInt);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
        await _pumps;
        _process.Dispose();
    }

    public static async Task<string> PropertyOfAsync(string stateDirectory, string resource, string property, CancellationToken cancellationToken)
    {
        var entry = await TestAppHost.EntryAsync(stateDirectory, resource, cancellationToken);
        return entry?.GetProperty(property).GetString() ?? throw new InvalidOperationException($"resources.json has no {resource}");
    }

    // An ignored signal is inherited, and .NET leaves it ignored.
    private static bool IsDeafToInterrupts() =>
        OperatingSystem.IsLinux()
        && File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)) is { } ignored
        && (ulong.Parse(ignored.AsSpan("SigIgn:".Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & (1UL << (Posix.SigInt - 1))) != 0;

    private async Task PumpAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            _lines.Enqueue(line);
            // The last line of what it says when all is up.
            if (line.Contains("Ctrl+C stops everything", StringComparison.Ordinal))
            {
                _ready.TrySetResult();
            }
        }
    }
}
