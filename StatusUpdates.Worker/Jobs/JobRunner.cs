using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Processors;

namespace StatusUpdates.Worker.Jobs;

/// <summary>
/// Claims as many generations as can start and starts them. Woken by Redis when something is submitted or handed back, by a slot that
/// becomes free while there may be more, and by a timer, because messages get lost. On a stop it claims no more, lets what runs go on for
/// the grace period, and hands the rest back.
/// </summary>
internal sealed partial class JobRunner(
    GenerationQueue queue,
    RunningJobs jobs,
    JobExecutor executor,
    LeaseHeartbeat heartbeat,
    ProcessorRegistry processors,
    WorkerIdentity identity,
    WakeUp wakeUp,
    StatusPublisher publisher,
    StatusSubscriber subscriber,
    IOptions<WorkerOptions> options,
    TimeProvider time,
    ILogger<JobRunner> logger) : BackgroundService
{
    // A retry that is due later than that is found by the poll.
    private const long MaxRetryMilliseconds = 24 * 60 * 60 * 1000;

    private static readonly TimeSpan MaxBackOff = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan LastLook = TimeSpan.FromSeconds(5);

    // Under load the queue is asked hundreds of times a second; for what has expired it is enough this often.
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(0.5);

    // Of claims that passed nothing but users whose work is not due yet.
    private const int MaxFruitlessInRow = 16;

    private volatile bool _mayHaveMore;
    private bool _claimWasCut;
    private long? _sweptAt;
    private bool _hasSweptLast;
    private int _fruitless;

    /// <summary>Claims once, for all free slots, and starts what it got. With no slot free it still ends what has come to its end.</summary>
    /// <returns>Whether there is more to do at once.</returns>
    /// <exception cref="NpgsqlException">The database is away.</exception>
    internal async Task<bool> RunOnceAsync(CancellationToken cancellationToken)
    {
        // Set before the look: a job that ends from here on wakes this up again.
        _mayHaveMore = true;
        var slots = Slots.Of(jobs.Snapshot(), options.Value);
        var started = time.GetTimestamp();
        var sweep = _hasSweptLast = UntilSweep() <= TimeSpan.Zero;
        if (slots.Free <= 0 && !sweep)
        {
            return false;
        }

        var request = new ClaimRequest
        {
            Owner = identity.Owner,
            Tasks = processors.Tasks,
            Limit = Math.Max(0, slots.Free),
            TaskLimits = slots.Tasks,
            UserLimit = slots.UserLimit,
            Held = slots.Held,
            Lease = options.Value.Lease,
            MaxFailures = options.Value.MaxFailures,
            Sweep = sweep,
        };
        var (result, claimed) = await jobs.ClaimAsync(() => queue.ClaimAsync(request, cancellationToken), cancellationToken);
        _mayHaveMore = result.MayHaveMore || slots.AreLimited || Slots.Of(jobs.Snapshot(), options.Value).AreLimited;
        _sweptAt = result.IsSwept ? started : _sweptAt;
        _fruitless = result.Updates.Count > 0 ? 0 : _fruitless + 1;

        // Announced before the work begins, so that its own updates do not overtake this one on Redis.
        await publisher.TryPublishAsync(result.Updates);
        foreach (var job in claimed)
        {
            WorkerTelemetry.CountClaim(job.Generation);
            job.Start(RunAsync);
        }

        return _fruitless < MaxFruitlessInRow && ((result.MayHaveMore && jobs.Free > 0) || (sweep && !result.IsSwept));
    }

    // A claim that did not sweep is followed by one that does.
    private TimeSpan Pause()
    {
        var pause = options.Value.PollInterval * Jitter();
        return _hasSweptLast ? pause : TimeSpans.Max(TimeSpan.Zero, TimeSpans.Min(pause, UntilSweep()));
    }

    private TimeSpan UntilSweep() => _sweptAt is { } last ? SweepInterval - time.GetElapsedTime(last) : TimeSpan.Zero;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        LogStarted(identity.Owner, options.Value.Concurrency);
        try
        {
            await using var subscription = await subscriber.SubscribeAllAsync(WakeUpForPending, stoppingToken);
            await ClaimUntilStoppedAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped while it subscribed, claimed or waited.
        }

        await DrainAsync();
    }

    private async Task ClaimUntilStoppedAsync(CancellationToken stoppingToken)
    {
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                _claimWasCut = true;
                var more = await RunOnceAsync(stoppingToken);
                _claimWasCut = false;
                failures = 0;
                if (!more)
                {
                    _fruitless = 0;
                    await wakeUp.WaitAsync(Pause(), stoppingToken);
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // The claim has tried for a while already; from here on with growing pauses. Whatever it is, what runs goes on.
                var pause = TimeSpans.Min(TimeSpan.FromSeconds(1 << Math.Min(failures++, 4)), MaxBackOff) * Jitter();
                if (e is NpgsqlException)
                {
                    LogDatabaseAway(pause, e.Message);
                }
                else
                {
                    LogClaimFailed(e, pause);
                }

                await Task.Delay(pause, time, stoppingToken);
            }
        }
    }

    // Takes no token: the host's shutdown time limits it from outside, and whatever is not written by then is left to the leases.
    private async Task DrainAsync()
    {
        var running = jobs.Snapshot();
        if (running.Count > 0)
        {
            LogDraining(running.Count, options.Value.GracePeriod);
            var settled = Task.WhenAll(running.Select(j => j.Settled));
            using var grace = new CancellationTokenSource(options.Value.GracePeriod, time);
            await settled.WaitAsync(grace.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (var job in running)
            {
                job.Stop(StopReason.ShuttingDown);
            }

            await settled;
        }

        if (_claimWasCut)
        {
            // It may have been committed all the same: what it took shows up as leases that nothing here runs for.
            using var limit = new CancellationTokenSource(LastLook, time);
            await heartbeat.TryRunOnceAsync(limit.Token);
        }
    }

    private async Task RunAsync(RunningJob job)
    {
        try
        {
            await executor.ExecuteAsync(job);
        }
        finally
        {
            jobs.Remove(job);
            await job.DisposeAsync();
            if (_mayHaveMore)
            {
                wakeUp.Set();
            }
        }
    }

    private void WakeUpForPending(StatusUpdate update)
    {
        if (update.Status != GenerationStatus.Pending)
        {
            return;
        }

        if (update.Metadata?.RetryAt is not { } retryAt)
        {
            wakeUp.Set();
        }
        else if (Math.Max(0, retryAt - update.Timestamp) is <= MaxRetryMilliseconds and var delay)
        {
            // Both times are the database's: how far this machine's clock is off does not matter.
            wakeUp.SetAfter(TimeSpan.FromMilliseconds(delay));
        }
    }

    // Between a half and the whole, so that workers that were started together do not ask together.
    private static double Jitter() => 0.5 + (Random.Shared.NextDouble() / 2);

    [LoggerMessage(3001, LogLevel.Information, "Worker {Owner} runs up to {Concurrency} generations at once")]
    private partial void LogStarted(string owner, int concurrency);

    [LoggerMessage(3002, LogLevel.Warning, "The database did not answer a claim; the next try is in {Pause}: {Reason}")]
    private partial void LogDatabaseAway(TimeSpan pause, string reason);

    [LoggerMessage(3004, LogLevel.Error, "A claim failed; the next try is in {Pause}")]
    private partial void LogClaimFailed(Exception exception, TimeSpan pause);

    [LoggerMessage(3003, LogLevel.Information, "Stopping: {Count} generations may finish within {GracePeriod}, the rest is handed back")]
    private partial void LogDraining(int count, TimeSpan gracePeriod);
}
