using Microsoft.Extensions.Hosting;
using StatusUpdates.Data;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.ServiceDefaults.Hosting;
using StatusUpdates.Webhooks;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Processors;
using StatusUpdates.Worker.Retention;

namespace StatusUpdates.Worker;

/// <summary>
/// The worker as a program. Which generations it runs is decided by its providers, which come from another project; without any, it delivers
/// webhooks, ends generations that are overdue, and removes what is old.
/// </summary>
public static class WorkerProgram
{
    /// <summary>Runs the worker until it is asked to stop.</summary>
    /// <param name="args">The command line: settings.</param>
    /// <param name="configure">
    /// Adds providers by <see cref="Providers.ProviderServices.AddProvider{TProvider}"/>, and the services and settings that they need.
    /// </param>
    /// <returns>The process's exit code.</returns>
    public static Task<int> RunAsync(string[] args, Action<IHostApplicationBuilder>? configure = null) =>
        ServiceRun.RunAsync(() => Build(new() { Args = args }, configure));

    /// <summary>The worker, ready to run; <paramref name="configure"/> is called before anything is registered.</summary>
    internal static IHost Build(HostApplicationBuilderSettings settings, Action<IHostApplicationBuilder>? configure = null)
    {
        var builder = Host.CreateApplicationBuilder(settings);
        configure?.Invoke(builder);

        builder.AddWorkerDefaults();
        builder.AddServiceDefaults();
        builder.AddHealthListener();
        builder.AddRedisClient("redis");
        var database = builder.AddStatusDatabase("statusdb");
        builder.AddNpgsqlDbContext<StatusDbContext>("statusdb", configureDbContextOptions: database.Configure);
        builder.AddStatusMessaging();

        // Services stop in reverse order. Deliveries in flight get as much time as the jobs.
        builder.AddWebhookDelivery();
        builder.AddJobs();
        builder.AddProcessors();
        builder.AddRetention();
        return builder.Build();
    }

    private static Task<int> Main(string[] args) => RunAsync(args);
}
