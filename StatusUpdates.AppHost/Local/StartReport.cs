using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using StatusUpdates.NativeServers.Hosting;

namespace StatusUpdates.AppHost.Local;

/// <summary>Tells whoever started the application when all is up and where to go, or what it still waits for.</summary>
internal sealed class StartReport(
    DistributedApplicationModel model,
    ResourceNotificationService notifications,
    NativeServerSettings settings,
    IConfiguration configuration,
    TimeProvider time) : BackgroundService
{
    /// <summary>A start that takes longer has met something that its owner should know of.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private volatile string _missing = "nothing has started";

    /// <returns>The dashboard's address with its login token; null where there is no dashboard.</returns>
    public static string? DashboardOf(IConfiguration configuration) =>
        configuration["ASPNETCORE_URLS"]?.Split(';')[0] is { Length: > 0 } url && configuration["AppHost:BrowserToken"] is { Length: > 0 } token
            ? $"{url}/login?t={token}"
            : null;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var began = time.GetTimestamp();
        var up = UntilAllAreUpAsync(stoppingToken);
        try
        {
            while (true)
            {
                try
                {
                    await up.WaitAsync(Patience, time, stoppingToken);
                    break;
                }
                catch (TimeoutException)
                {
                    await Console.Error.WriteLineAsync($"Not up after {time.GetElapsedTime(began).TotalSeconds:0} s: {_missing}.");
                }
            }

            await Console.Out.WriteLineAsync(Describe(time.GetElapsedTime(began)));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The application stops.
        }
    }

    private async Task UntilAllAreUpAsync(CancellationToken cancellationToken)
    {
        var wanted = model.GetProjectResources().Sum(project => project.GetReplicaCount());
        await foreach (var instances in notifications.WatchAllAsync(cancellationToken))
        {
            var missing = instances.Where(instance => IsNeeded(instance.Resource) && !IsUp(instance.Snapshot)).ToList();
            if (missing.Count == 0 && instances.Count(instance => instance.Resource is ProjectResource) == wanted)
            {
                return;
            }

            _missing = string.Join("; ", missing.Select(instance => Describe(instance)));
        }
    }

    private static bool IsNeeded(IResource resource) => resource is ProjectResource or ContainerResource or NativeServerResource or PostgresDatabaseResource;

    private static bool IsUp(CustomResourceSnapshot snapshot) =>
        snapshot.State?.Text == KnownResourceStates.Running && snapshot.HealthStatus is HealthStatus.Healthy;

    private static string Describe(ResourceEvent instance)
    {
        var exitCode = instance.Snapshot.ExitCode is { } code ? string.Create(CultureInfo.InvariantCulture, $" with exit code {code}") : "";
        var health = instance.Snapshot.HealthStatus is HealthStatus.Unhealthy ? ", not healthy" : "";
        return $"{instance.ResourceId} is {instance.Snapshot.State?.Text ?? "not started"}{exitCode}{health}";
    }

    private string Describe(TimeSpan took)
    {
        var api = model.Resources.OfType<ProjectResource>().Single(project => project.Name == "api").GetEndpoint("http").Url;
        List<(string Name, string Value)> lines =
        [
            ("Page", api),
            ("Dashboard", DashboardOf(configuration) ?? "off"),
            ("API reference", $"{api}/scalar"),
            ("Data", $"{settings.StateDirectory} (delete it while nothing runs to begin anew)"),
        ];
        if (model.Resources.All(resource => resource.Name != "bot"))
        {
            lines.Add(("Telegram bot", "off; set TELEGRAM_BOT_TOKEN to a token of @BotFather to switch it on (docs/bot.md)"));
        }

        return string.Create(CultureInfo.InvariantCulture, $"""

              Ready after {took.TotalSeconds:0.0} s.

            {string.Join(Environment.NewLine, lines.Select(line => $"  {line.Name,-14} {line.Value}"))}

              Ctrl+C stops everything.

            """);
    }
}
