using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using StatusUpdates.ServiceDefaults.Health;

namespace StatusUpdates.ServiceDefaults.Telemetry;

internal static class TelemetryDefaults
{
    /// <summary>Logs, metrics and traces; exported by OTLP if <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set, else only for in-process listeners.</summary>
    public static void AddStatusTelemetry(this IHostApplicationBuilder builder)
    {
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });

        // Npgsql's source and meter come with AddNpgsqlDbContext.
        var telemetry = builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation()
                .AddMeter("StatusUpdates.*")

                // Users choose the host names of webhooks; each name would be a time series.
                .AddView("dns.lookup.duration", new MetricStreamConfiguration { TagKeys = ["error.type"] }))
            .WithTracing(tracing => tracing
                .AddSource(builder.Environment.ApplicationName)
                .AddSource("StatusUpdates.*")
                .AddAspNetCoreInstrumentation(options => options.Filter = context => !HealthEndpoints.IsHealthRequest(context.Request.Path))
                .AddHttpClientInstrumentation());

        if (!string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            telemetry.UseOtlpExporter();
        }
    }
}
