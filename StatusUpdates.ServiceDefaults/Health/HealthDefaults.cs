using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace StatusUpdates.ServiceDefaults.Health;

internal static class HealthDefaults
{
    /// <summary>The tag of checks that only show that the process responds.</summary>
    public const string LiveTag = "live";

    public static void AddDefaultHealthChecks(this IHostApplicationBuilder builder)
    {
        builder.Services.AddHealthChecks()
            .AddCheck("self", () => HealthCheckResult.Healthy(), [LiveTag])
            .AddCheck<DescriptorWatch>(DescriptorWatch.Name);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(services => new DescriptorWatch(
            new ProcessDescriptors().Read, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<DescriptorWatch>>()));
        builder.Services.AddHostedService(services => services.GetRequiredService<DescriptorWatch>());
        builder.Services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IPostConfigureOptions<HealthCheckServiceOptions>, DependencyHealthPolicy>());
    }
}
