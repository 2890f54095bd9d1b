using Microsoft.Extensions.Configuration;
using StatusUpdates.NativeServers.Hosting;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.AppHost.Local;

/// <summary>Looks at all ports before anything starts, so that one message names every one that is taken. Aspire would wait for them.</summary>
internal static class PortCheck
{
    // The dashboard, where telemetry is sent to, and where the dashboard asks for resources.
    private static readonly string[] DashboardUrls = ["ASPNETCORE_URLS", "ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", "ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"];

    /// <exception cref="DistributedApplicationException">Ports are taken; the message has a line for each, with its holder and the way out.</exception>
    public static void ThrowIfTaken(DistributedApplicationModel model, IConfiguration configuration)
    {
        // As tests want it: whatever port is asked for, a free one is taken.
        if (bool.TryParse(configuration["DcpPublisher:RandomizePorts"], out var randomize) && randomize)
        {
            return;
        }

        List<string> taken =
        [
            // The dashboard's own resource is left out: its addresses are those of the variables.
            .. model.Resources.Where(resource => resource.Name != "aspire-dashboard")
                .SelectMany(resource => resource.Annotations.OfType<EndpointAnnotation>(), (resource, endpoint) => (resource, endpoint.Port))
                .Where(wanted => wanted.Port is { } port && !LoopbackPort.IsFree(port))
                .Select(wanted => Describe(wanted.Port!.Value, wanted.resource.Name, VariableOf(wanted.resource))),
            .. DashboardUrls
                .Select(variable => (variable, url: configuration[variable]?.Split(';')[0]))
                .Where(wanted => Uri.TryCreate(wanted.url, UriKind.Absolute, out var url) && url.Port != 0 && !LoopbackPort.IsFree(url.Port))
                .Select(wanted => Describe(new Uri(wanted.url!).Port, "the dashboard", $"{wanted.variable}, an address,")),
        ];
        if (taken.Count > 0)
        {
            throw new DistributedApplicationException(string.Join(Environment.NewLine, taken));
        }
    }

    private static string VariableOf(IResource resource) =>
        resource is ProjectResource ? $"Ports__{resource.Name}" : NativeServerSettings.PortVariable(resource.Name);

    private static string Describe(int port, string user, string variable)
    {
        var holder = PortHolder.Describe(port) is { } known ? $" by {known}" : "";
        return $"Port {port} for {user} is taken{holder}. Stop that program, or set {variable} to another port.";
    }
}
