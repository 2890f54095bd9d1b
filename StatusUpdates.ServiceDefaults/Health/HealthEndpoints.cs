using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace StatusUpdates.ServiceDefaults.Health;

/// <summary>The addresses that probes ask.</summary>
internal static class HealthEndpoints
{
    private const string HealthPath = "/health";
    private const string AlivePath = "/alive";

    public static void MapHealthEndpoints(this IEndpointRouteBuilder endpoints, bool detailed)
    {
        Map(endpoints, HealthPath, _ => true, detailed);
        Map(endpoints, AlivePath, check => check.Tags.Contains(HealthDefaults.LiveTag), detailed);
    }

    public static bool IsHealthRequest(PathString path) =>
        path.StartsWithSegments(HealthPath, StringComparison.OrdinalIgnoreCase)
        || path.StartsWithSegments(AlivePath, StringComparison.OrdinalIgnoreCase);

    private static void Map(IEndpointRouteBuilder endpoints, string path, Func<HealthCheckRegistration, bool> predicate, bool detailed)
    {
        var options = new HealthCheckOptions
        {
            Predicate = predicate,
            ResponseWriter = (context, report) => HealthReportJson.WriteAsync(context, report, detailed),
        };
        endpoints.MapHealthChecks(path, options).AllowAnonymous().DisableRateLimiting().DisableHttpMetrics().ExcludeFromDescription();
    }
}
