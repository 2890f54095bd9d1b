using Microsoft.Extensions.Configuration;
using StatusUpdates.NativeServers.Hosting;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.AppHost.Local;

/// <summary>Checks all ports before anything starts and reports every taken one in a single message. Aspire would wait for them.</summary>
internal static class PortCheck
{
    // The dashboard, the telemetry endpoint, and the service from which the dashboard reads resources.
    private static readonly string[] DashboardUrls = ["ASPNETCORE_URLS", "ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", "ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"];

    /// <summary>How long the processes of a killed run may take to exit.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>If the last run was killed, first waits for its processes to release their ports.</summary>
    /// <exception cref="DistributedApplicationException">Ports are taken; the message has a line for each, with its holder and a remedy.</exception>
    public static async Task ThrowIfTakenAsync(
        DistributedApplicationModel model, IConfiguration configuration, NativeServerSettings settings, TimeProvider time, CancellationToken cancellationToken)
    {
        if (settings.RandomizePorts)
        {
            return;
        }

        var wanted = Wanted(model, configuration).ToList();
        var startedAt = time.GetTimestamp();
        while (wanted.Where(port => !LoopbackPort.IsFree(port.Number)).ToList() is { Count: > 0 } taken)
        {
            if (!settings.LastRunWasKilled || time.GetElapsedTime(startedAt) > Timeout)
            {
                throw new DistributedApplicationException(string.Join(Environment.NewLine, taken.Select(Describe)));
            }

            await Task.Delay(PollInterval, time, cancellationToken);
        }
    }

    // The dashboard's own resource is skipped: its addresses come from the variables.
    private static IEnumerable<WantedPort> Wanted(DistributedApplicationModel model, IConfiguration configuration) =>
    [
        .. from resource in model.Resources
           where resource.Name != "aspire-dashboard"
           from endpoint in resource.Annotations.OfType<EndpointAnnotation>()
           where endpoint.Port is not null
           select new WantedPort(endpoint.Port!.Value, resource.Name, VariableOf(resource)),
        .. from variable in DashboardUrls
           let url = Uri.TryCreate(configuration[variable]?.Split(';')[0], UriKind.Absolute, out var parsed) ? parsed : null
           where url is { Port: > 0 }
           select new WantedPort(url.Port, "the dashboard", $"{variable}, an address,"),
    ];

    private static string VariableOf(IResource resource) =>
        resource is ProjectResource ? $"Ports__{resource.Name}" : NativeServerSettings.PortVariable(resource.Name);

    private static string Describe(WantedPort port)
    {
        var holder = PortHolder.Describe(port.Number) is { } known ? $" by {known}" : "";
        return $"Port {port.Number} for {port.User} is taken{holder}. Stop that program, or set {port.Variable} to another port.";
    }

    private sealed record WantedPort(int Number, string User, string Variable);
}
