using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.ServiceDefaults;
using StatusUpdates.ServiceDefaults.Health;
using StatusUpdates.ServiceDefaults.Hosting;
using StatusUpdates.ServiceDefaults.Redis;
using StatusUpdates.ServiceDefaults.Telemetry;

namespace Microsoft.Extensions.Hosting;

/// <summary>What every service of the system has in common.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>
    /// Adds telemetry, health checks, service discovery, resilience of outgoing HTTP, and the seed's <c>REDIS_HOST</c> settings as a
    /// source of <c>ConnectionStrings:redis</c>. Call it before
    /// <c>AddRedisClient</c> and <c>AddNpgsqlDbContext</c>.
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
    /// Answers <c>/health</c> and <c>/alive</c> as <see cref="MapDefaultEndpoints"/> does, in a service that has no HTTP otherwise, where
    /// <c>ASPNETCORE_URLS</c> or <c>HTTP_PORTS</c> says so. Call it before what works is added: services are stopped in reverse.
    /// </summary>
    public static void AddHealthListener(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<HealthListener>();
        builder.Services.AddHostedService(services => services.GetRequiredService<HealthListener>());
    }

    /// <summary>
    /// Maps <c>/health</c> (200 if the service can serve, also with Redis away; else 503) and <c>/alive</c> (200 if the process answers).
    /// Both are open, free of rate limits, and say no more than the overall state outside Development.
    /// </summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealthEndpoints(detailed: app.Environment.IsDevelopment());
        return app;
    }
}
