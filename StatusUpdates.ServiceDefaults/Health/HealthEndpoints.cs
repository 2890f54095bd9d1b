using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace StatusUpdates.ServiceDefaults.Health;

/// <summary>The endpoints for health probes.</summary>
internal static class HealthEndpoints
{
    private const string HealthPath = "/health";
    private const string AlivePath = "/alive";

    public static void MapHealthEndpoints(this IEndpointRouteBuilder endpoints, bool detailed)
    {
        Map(endpoints, HealthPath, IsAny, detailed);
        Map(endpoints, AlivePath, IsLive, detailed);
    }

    /// <summary>Answers like the mapped endpoints, for a server without routing: 404 for any other path.</summary>
    public static async Task AnswerAsync(HttpContext context, HealthCheckService checks, bool detailed)
    {
        var path = context.Request.Path;
        var isAlive = path.Equals(AlivePath, StringComparison.OrdinalIgnoreCase);
        if (!isAlive && !path.Equals(HealthPath, StringComparison.OrdinalIgnoreCase))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        var report = await checks.CheckHealthAsync(isAlive ? IsLive : IsAny, context.RequestAborted);
        context.Response.StatusCode = report.Status == HealthStatus.Unhealthy ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
        context.Response.Headers.CacheControl = "no-store, no-cache";
        await HealthReportJson.WriteAsync(context, report, detailed);
    }

    public static bool IsHealthRequest(PathString path) =>
        path.StartsWithSegments(HealthPath, StringComparison.OrdinalIgnoreCase)
        || path.StartsWithSegments(AlivePath, StringComparison.OrdinalIgnoreCase);

    private static bool IsAny(HealthCheckRegistration check) => true;

    private static bool IsLive(HealthCheckRegistration check) => check.Tags.Contains(HealthDefaults.LiveTag);

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
