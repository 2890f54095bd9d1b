using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.ServiceDefaults;
using StatusUpdates.ServiceDefaults.Health;
using StatusUpdates.ServiceDefaults.Hosting;
using StatusUpdates.ServiceDefaults.Redis;
using StatusUpdates.ServiceDefaults.Telemetry;

namespace Microsoft.Extensions.Hosting;

/// <summary>What all services of the system have in common.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>
    /// Adds telemetry, health checks, service discovery, resilience of outgoing HTTP, and the <c>REDIS_HOST</c> variables as a source of
    /// <c>ConnectionStrings:redis</c>. Call it before <c>AddRedisClient</c> and <c>AddNpgsqlDbContext</c>.
    /// </summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        StartLogging.Add(builder);
        builder.AddAspireDefaults();
        builder.AddStatusTelemetry();
        builder.AddDefaultHealthChecks();
        builder.AddRedisSettings();

        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http =>
        {
            http.AddStandardResilienceHandler();
            http.AddServiceDiscovery();
        });

        return builder;
    }

    /// <summary>
    /// Serves <c>/health</c> and <c>/alive</c> like <see cref="MapDefaultEndpoints"/>, in a service that has no other HTTP server, if
    /// <c>ASPNETCORE_URLS</c> or <c>HTTP_PORTS</c> is set. Call it before the services that do the work are added: services stop in reverse order.
    /// </summary>
    public static void AddHealthListener(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<HealthListener>();
        builder.Services.AddHostedService(services => services.GetRequiredService<HealthListener>());
    }

    /// <summary>
    /// Maps <c>/health</c> (200 if the service can serve, even without Redis; else 503) and <c>/alive</c> (200 if the process responds).
    /// Both need no authentication, have no rate limit, and show only the overall state outside Development.
    /// </summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealthEndpoints(detailed: app.Environment.IsDevelopment());
        return app;
    }
}
