using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Processors;

namespace StatusUpdates.Benchmarks.Claims;

/// <summary>
/// A common worker design: each slot claims one job with its own <c>FOR UPDATE SKIP LOCKED</c>, executes it, and claims the next. The statement
/// is the worker's with a limit of one; everything else is the worker's own.
/// </summary>
internal sealed class OneByOneRunner(
    GenerationQueue queue,
    RunningJobs jobs,
    JobExecutor executor,
    ProcessorRegistry processors,
    StatusPublisher publisher,
    StatusSubscriber subscriber,
    IOptions<WorkerOptions> options,
    AttemptOptions attempts) : BackgroundService
{
    private static readonly TimeSpan EmptyDelay = TimeSpan.FromMilliseconds(10);

    private long _sweptAt;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using var subscription = await subscriber.SubscribeAllAsync(
            update =>
            {
                if (update.Status == GenerationStatus.Pending)
                {
                    queue.Hint(update, processors.TasksOf(update.Type));
                }
            },
            stoppingToken);
        await Task.WhenAll(Enumerable.Range(0, options.Value.Concurrency).Select(_ => RunSlotAsync(stoppingToken)));
    }

    private async Task RunSlotAsync(CancellationToken stoppingToken)
    {
        var request = new ClaimRequest
        {
            Owner = jobs.Owner,
            Tasks = processors.Tasks,
            Limit = 1,
            Lease = options.Value.Lease,
            MaxFailures = attempts.MaxFailures,
        };
        while (!stoppingToken.IsCancellationRequested)
        {
            var (result, claimed) = await jobs.ClaimAsync(
                () => queue.ClaimAsync(request with { Sweep = IsTimeToSweep() }, stoppingToken), stoppingToken);
            if (result.Claimed.Count == 0)
            {
                await Task.Delay(EmptyDelay, stoppingToken);
                continue;
            }

            await publisher.TryPublishAsync(result.Updates);
            claimed[0].Start(RunAsync);
            await claimed[0].Ended;
        }
    }

    // At the interval of the worker's own runner, by whichever slot claims next.
    private bool IsTimeToSweep()
    {
        if (_sweptAt != 0 && Stopwatch.GetElapsedTime(_sweptAt) < JobRunner.SweepInterval)
        {
            return false;
        }

        _sweptAt = Stopwatch.GetTimestamp();
        return true;
    }

    private async Task RunAsync(RunningJob job)
    {
        await executor.ExecuteAsync(job);
        jobs.Remove(job);
        await job.DisposeAsync();
    }
}
