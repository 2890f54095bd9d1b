using Aspire.Hosting.Lifecycle;
using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.NativeServers.Hosting;

namespace StatusUpdates.AppHost.Local;

/// <summary>Additions for runs on a developer's machine. They do not affect publishing.</summary>
internal static class LocalRun
{
    /// <summary>
    /// Checks ports before anything starts, restarts crashed resources, keeps <c>resources.json</c> up to date, and reports when everything is up.
    /// </summary>
    public static void AddLocalRun(this IDistributedApplicationBuilder builder)
    {
        if (!builder.ExecutionContext.IsRunMode)
        {
            return;
        }

        builder.Services.AddSingleton(NativeServerSettings.From(builder.Configuration, builder.AppHostDirectory));
        builder.Services.AddHostedService<ResourcesFile>();
        builder.Services.AddHostedService<StartReport>();
        builder.Services.AddHostedService<ServicesStopFirst>();
        builder.Services.AddEventingSubscriber<LocalRunEvents>();
        builder.Services.AddEventingSubscriber<CrashRestarts>();
    }
}
