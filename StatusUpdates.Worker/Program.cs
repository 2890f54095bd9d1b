using Microsoft.Extensions.Hosting;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Processors;
using StatusUpdates.Worker.Retention;
using StatusUpdates.Worker.Webhooks;

namespace StatusUpdates.Worker;

internal static class Program
{
    public static Task<int> Main(string[] args) => ServiceRun.RunAsync(() => Build(new() { Args = args }));

    /// <summary>The worker, ready to run. Tests add their settings and providers by <paramref name="configure"/>, before anything is registered.</summary>
    public static IHost Build(HostApplicationBuilderSettings settings, Action<IHostApplicationBuilder>? configure = null)
    {
        var builder = Host.CreateApplicationBuilder(settings);
        configure?.Invoke(builder);

        builder.AddServiceDefaults();
        builder.AddHealthListener();
        builder.AddRedisClient("redis");
        var database = builder.AddStatusDatabase("statusdb");
        builder.AddNpgsqlDbContext<StatusDbContext>("statusdb", configureDbContextOptions: database.Configure);
        builder.AddStatusMessaging();

        // Stopped in reverse. Deliveries under way are given as long as the jobs are.
        builder.AddWebhookDelivery();
        builder.AddJobs();
        builder.AddProcessors();
        builder.AddRetention();
        return builder.Build();
    }
}
