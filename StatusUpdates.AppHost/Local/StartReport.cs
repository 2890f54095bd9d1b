using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using StatusUpdates.NativeServers.Hosting;

namespace StatusUpdates.AppHost.Local;

/// <summary>Reports on the console when everything is up and at which addresses, or what is still missing.</summary>
internal sealed class StartReport(
    DistributedApplicationModel model,
    ResourceNotificationService notifications,
    NativeServerSettings settings,
    IConfiguration configuration,
    TimeProvider time) : BackgroundService
{
    /// <summary>A start that takes longer has a problem that is worth reporting.</summary>
    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(60);

    private volatile string _missing = "nothing has started";

    /// <returns>The dashboard's address with its login token; null where there is no dashboard.</returns>
    public static string? DashboardOf(IConfiguration configuration) =>
        configuration["ASPNETCORE_URLS"]?.Split(';')[0] is { Length: > 0 } url && configuration["AppHost:BrowserToken"] is { Length: > 0 } token
            ? $"{url}/login?t={token}"
            : null;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var startedAt = time.GetTimestamp();
        var up = UntilAllAreUpAsync(stoppingToken);
        while (true)
        {
            try
            {
                await up.WaitAsync(ReportInterval, time, stoppingToken);
                break;
            }
            catch (TimeoutException)
            {
                await Console.Error.WriteLineAsync($"Not up after {time.GetElapsedTime(startedAt).TotalSeconds:0} s: {_missing}.");
            }
        }

        await Console.Out.WriteLineAsync(Describe(time.GetElapsedTime(startedAt)));
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
            ("Data", $"{settings.StateDirectory} (to start over, delete it while nothing is running)"),
        ];
        if (model.Resources.All(resource => resource.Name != "bot"))
        {
            lines.Add(("Telegram bot", "off; set TELEGRAM_BOT_TOKEN to a token from @BotFather to turn it on (docs/bot.md)"));
        }

        return string.Create(CultureInfo.InvariantCulture, $"""

              Ready after {took.TotalSeconds:0.0} s.

            {string.Join(Environment.NewLine, lines.Select(line => $"  {line.Name,-14} {line.Value}"))}

              Ctrl+C stops everything.

            """);
    }
}
