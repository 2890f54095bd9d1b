using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Processors;

namespace StatusUpdates.Benchmarks.Claims;

/// <summary>
/// What workers often do: each slot claims one job by a <c>FOR UPDATE SKIP LOCKED</c> of its own, does it, and claims the next. The
/// statement is the same, with a limit of one; all else is the worker's.
/// </summary>
internal sealed class OneByOneRunner(
    GenerationQueue queue,
    RunningJobs jobs,
    JobExecutor executor,
    ProcessorRegistry processors,
    WorkerIdentity identity,
    StatusPublisher publisher,
    IOptions<WorkerOptions> options) : BackgroundService
{
    private static readonly TimeSpan EmptyPause = TimeSpan.FromMilliseconds(10);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, options.Value.Concurrency).Select(_ => RunSlotAsync(stoppingToken)));

    private async Task RunSlotAsync(CancellationToken stoppingToken)
    {
        var request = new ClaimRequest
        {
            Owner = identity.Owner,
            Tasks = processors.Tasks,
            Limit = 1,
            Lease = options.Value.Lease,
            MaxFailures = options.Value.MaxFailures,
            Sweep = false,
        };
        while (!stoppingToken.IsCancellationRequested)
        {
            var result = await queue.ClaimAsync(request, stoppingToken);
            if (result.Claimed.Count == 0)
            {
                await Task.Delay(EmptyPause, stoppingToken);
                continue;
            }

            var (_, claimed) = await jobs.ClaimAsync(() => Task.FromResult(result), stoppingToken);
            await publisher.TryPublishAsync(result.Updates);
            claimed[0].Start(RunAsync);
            await claimed[0].Ended;
        }
    }

    private async Task RunAsync(RunningJob job)
    {
        await executor.ExecuteAsync(job);
        jobs.Remove(job);
        await job.DisposeAsync();
    }
}
