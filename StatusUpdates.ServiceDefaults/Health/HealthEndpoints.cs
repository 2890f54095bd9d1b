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
    public static RequestDelegate Build(IServiceProvider services, bool detailed) => new ApplicationBuilder(services)
        .UseHealthChecks(HealthPath, Options(IsAny, detailed))
        .UseHealthChecks(AlivePath, Options(IsLive, detailed))
        .Build();

    public static bool IsHealthRequest(PathString path) =>
        path.StartsWithSegments(HealthPath, StringComparison.OrdinalIgnoreCase)
        || path.StartsWithSegments(AlivePath, StringComparison.OrdinalIgnoreCase);

    private static bool IsAny(HealthCheckRegistration check) => true;

    private static bool IsLive(HealthCheckRegistration check) => check.Tags.Contains(HealthDefaults.LiveTag);

    private static void Map(IEndpointRouteBuilder endpoints, string path, Func<HealthCheckRegistration, bool> predicate, bool detailed) => endpoints
        .MapHealthChecks(path, Options(predicate, detailed)).AllowAnonymous().DisableRateLimiting().DisableHttpMetrics().ExcludeFromDescription();

    private static HealthCheckOptions Options(Func<HealthCheckRegistration, bool> predicate, bool detailed) => new()
    {
        Predicate = predicate,
        ResponseWriter = (context, report) => HealthReportJson.WriteAsync(context, report, detailed),
    };
}
