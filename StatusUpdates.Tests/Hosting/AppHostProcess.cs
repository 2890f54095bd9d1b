using System.Diagnostics;
using System.Globalization;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

/// <summary>The real AppHost in a separate process, with its own state and ports.</summary>
internal sealed class AppHostProcess : ConsoleProcess
{
    // Its own build output: the copy next to the tests lacks the assemblies that the tests get from the shared framework.
    private static readonly string ProgramPath = Path.Combine(
        Projects.StatusUpdates_AppHost.ProjectPath, "bin", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, "net10.0", "StatusUpdates.AppHost.dll");

    private AppHostProcess(string[] arguments, IEnumerable<KeyValuePair<string, string?>> environment)
        : base(CreateStart(arguments, environment), "Ctrl+C stops everything")
    {
    }

    public static AppHostProcess Start(string stateDirectory, IReadOnlyDictionary<string, int> ports)
    {
        var host = new AppHostProcess([], new Dictionary<string, string?>
        {
            // As in the launch profile, but with its own ports for the dashboard.
            ["DOTNET_ENVIRONMENT"] = "Development",
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
            ["ASPNETCORE_URLS"] = $"http://localhost:{ports["dashboard"]}",
            ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = $"http://localhost:{ports["telemetry"]}",
            ["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = $"http://localhost:{ports["resources"]}",
            ["NativeServers__Mode"] = "Always",
            ["NativeServers__StateDirectory"] = stateDirectory,
            ["NativeServers__Ports__postgres"] = $"{ports["postgres"]}",
            ["NativeServers__Ports__redis"] = $"{ports["redis"]}",
            ["Ports__api"] = $"{ports["api"]}",

            // No one's user secrets are read or written, and a bot token in the environment of the person who runs the tests is not used.
            ["Parameters__postgres-password"] = "of-a-test",
            ["Parameters__redis-password"] = "of-a-test",
            ["Parameters__jwt-signing-key"] = Convert.ToBase64String(new byte[48]),
            ["TELEGRAM_BOT_TOKEN"] = null,
            ["Parameters__telegram-bot-token"] = null,
        });
        host.Start();
        return host;
    }

    /// <summary>Runs the AppHost until it exits by itself, as it does when it publishes or fails to start.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(string[] arguments, IEnumerable<KeyValuePair<string, string?>> environment)
    {
        await using var host = new AppHostProcess(arguments, environment);
        var (exitCode, output, error) = await host.RunAsync();
        return (exitCode, output + error);
    }

    /// <summary>Sends SIGINT (Ctrl+C), or SIGTERM if the tests were started with SIGINT ignored, as a shell does for background jobs.</summary>
    public void Interrupt() => Signal(IgnoresInterrupts() ? Posix.SigTerm : Posix.SigInt);

    public static async Task<string> PropertyOfAsync(string stateDirectory, string resource, string property, CancellationToken cancellationToken)
    {
        var entry = await TestAppHost.EntryAsync(stateDirectory, resource, cancellationToken);
        return entry?.GetProperty(property).GetString() ?? throw new InvalidOperationException($"resources.json has no {resource}");
    }

    // An ignored signal is inherited, and .NET leaves it ignored.
    private static bool IgnoresInterrupts() =>
        OperatingSystem.IsLinux()
        && File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)) is { } ignored
        && (ulong.Parse(ignored.AsSpan("SigIgn:".Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & (1UL << (Posix.SigInt - 1))) != 0;

    private static ProcessStartInfo CreateStart(string[] arguments, IEnumerable<KeyValuePair<string, string?>> environment)
    {
        var start = new ProcessStartInfo(DotnetHost.Path, ["exec", ProgramPath, .. arguments])
        {
            WorkingDirectory = Projects.StatusUpdates_AppHost.ProjectPath,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }
}
