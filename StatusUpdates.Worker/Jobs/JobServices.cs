using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StatusUpdates.Worker.Attempts;

namespace StatusUpdates.Worker.Jobs;

internal static class JobServices
{
    // What a stop takes in addition to the grace period and the stop patience: the last writes.
    private static readonly TimeSpan TimeToWrite = TimeSpan.FromSeconds(10);

    /// <summary>Adds the job runner, the heartbeat and the cancel requests; needs StatusUpdates.Data, messaging and the processors.</summary>
    public static void AddJobs(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSectionOptions<WorkerOptions, WorkerOptionsValidator>(WorkerOptions.SectionName);
        builder.Services.AddSingleton<IValidateOptions<WorkerOptions>, TaskOptionsValidator>();
        builder.Services.AddOptions<HostOptions>().PostConfigure<IOptions<WorkerOptions>>((host, worker) =>
        {
            var needed = worker.Value.GracePeriod + worker.Value.StopPatience + TimeToWrite;
            host.ShutdownTimeout = needed > host.ShutdownTimeout ? needed : host.ShutdownTimeout;
        });

        builder.Services.AddSingleton<WakeUp>();
        builder.Services.AddSingleton<RunningJobs>();
        builder.Services.AddSingleton<AttemptWriter>();
        builder.Services.AddSingleton<JobExecutor>();

        // Services stop in reverse order: the heartbeat continues until the runner has settled all jobs.
        builder.Services.AddSingleton<LeaseHeartbeat>();
        builder.Services.AddHostedService(services => services.GetRequiredService<LeaseHeartbeat>());
        builder.Services.AddSingleton<CancelRequests>();
        builder.Services.AddHostedService(services => services.GetRequiredService<CancelRequests>());
        builder.Services.AddSingleton<JobRunner>();
        builder.Services.AddHostedService(services => services.GetRequiredService<JobRunner>());
    }
}
