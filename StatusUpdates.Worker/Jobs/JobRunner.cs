using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Processors;

namespace StatusUpdates.Worker.Jobs;

/// <summary>
/// Claims as many generations as there are free slots, and starts them. Woken by Redis when a generation is submitted or handed back, by a slot
/// that becomes free while more may be waiting, and by a timer, because messages can get lost. On shutdown it stops claiming, lets running
/// generations continue for the grace period, and hands the rest back.
/// </summary>
internal sealed partial class JobRunner(
    GenerationQueue queue,
    RunningJobs jobs,
    JobExecutor executor,
    LeaseHeartbeat heartbeat,
    ProcessorRegistry processors,
    WakeUp wakeUp,
    StatusPublisher publisher,
    StatusSubscriber subscriber,
    IOptions<WorkerOptions> options,
    AttemptOptions attempts,
    TimeProvider time,
    ILogger<JobRunner> logger) : BackgroundService
{
    // A retry that is due later than this is left to polling.
    private const long MaxRetryMilliseconds = 24 * 60 * 60 * 1000;

    private static readonly Backoff ClaimBackoff = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15));
    private static readonly TimeSpan FinalHeartbeatTimeout = TimeSpan.FromSeconds(5);

    // Under load there are hundreds of claims per second; this is often enough to find what has expired.
    internal static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(1);

    // Bounds claims that follow each other at once and find only users whose work is not due yet.
    private const int MaxEmptyClaims = 16;

    private volatile bool _mayHaveMore;
    private bool _claimInterrupted;
    private long? _sweptAt;
    private bool _lastClaimSwept;
    private int _emptyClaims;

    /// <summary>Claims once for all free slots and starts what it got. Without a free slot, a sweep still ends generations that are overdue.</summary>
    /// <returns>Whether to claim again at once.</returns>
    /// <exception cref="NpgsqlException">The database is unavailable.</exception>
    internal async Task<bool> RunOnceAsync(CancellationToken cancellationToken)
    {
        // Set before the snapshot: a job that ends from here on wakes the runner again.
        _mayHaveMore = true;
        var slots = Slots.Of(jobs.Snapshot(), options.Value);
        var started = time.GetTimestamp();
        var sweep = _lastClaimSwept = UntilSweep() <= TimeSpan.Zero;
        if (slots.Free <= 0 && !sweep)
        {
            return false;
        }

        var request = new ClaimRequest
        {
            Owner = jobs.Owner,
            Tasks = processors.Tasks,
            Limit = Math.Max(0, slots.Free),
            TaskLimits = slots.Tasks,
            UserLimit = slots.UserLimit,
            Held = slots.Held,
            Lease = options.Value.Lease,
            MaxFailures = attempts.MaxFailures,
            Sweep = sweep,
        };
        var (result, claimed) = await jobs.ClaimAsync(() => queue.ClaimAsync(request, cancellationToken), cancellationToken);
        _mayHaveMore = result.MayHaveMore || slots.AreLimited || Slots.Of(jobs.Snapshot(), options.Value).AreLimited;
        _sweptAt = result.IsSwept ? started : _sweptAt;
        _emptyClaims = result.Updates.Count > 0 ? 0 : _emptyClaims + 1;

        // Announced before the work begins: its own updates must not overtake this one on Redis.
        await publisher.TryPublishAsync(result.Updates);
        foreach (var job in claimed)
        {
            WorkerTelemetry.CountClaim(job.Generation);
            job.Start(RunAsync);
        }

        return _emptyClaims < MaxEmptyClaims && ((result.MayHaveMore && jobs.Free > 0) || (sweep && !result.IsSwept));
    }

    // After a claim without a sweep, waits no longer than until the next sweep is due.
    private TimeSpan Pause()
    {
        // Workers that were started together must not poll together.
        var pause = Backoff.Spread(options.Value.PollInterval);
        return _lastClaimSwept ? pause : TimeSpans.Clamp(UntilSweep(), TimeSpan.Zero, pause);
    }

    private TimeSpan UntilSweep() => _sweptAt is { } last ? SweepInterval - time.GetElapsedTime(last) : TimeSpan.Zero;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        LogStarted(jobs.Owner, options.Value.Concurrency);
        if (processors.OtherTasks.ToList() is { Count: > 0 } others)
        {
            LogNoProvider(string.Join(", ", others));
        }

        try
        {
            await using var subscription = await subscriber.SubscribeAllAsync(WakeUpForPending, stoppingToken);
            await ClaimUntilStoppedAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped while subscribing, claiming or waiting.
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
                _claimInterrupted = true;
                var more = await RunOnceAsync(stoppingToken);
                _claimInterrupted = false;
                failures = 0;
                if (!more)
                {
                    _emptyClaims = 0;
                    await wakeUp.WaitAsync(Pause(), stoppingToken);
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Any failure: the claim has already retried for a while, so pauses grow from here on. Running jobs continue.
                var pause = ClaimBackoff.After(++failures);
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

    // Takes no token: the host's shutdown time-out limits it, and what is not written by then is recovered when the leases expire.
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

        if (_claimInterrupted)
        {
            // It may have been committed anyway: then the heartbeat finds leases without a running job.
            using var limit = new CancellationTokenSource(FinalHeartbeatTimeout, time);
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
        if (update.Status != GenerationStatus.Pending || processors.TasksOf(update.Type) is not { Count: > 0 } tasks)
        {
            return;
        }

        queue.Hint(update, tasks);
        if (update.Metadata?.RetryAt is not { } retryAt)
        {
            wakeUp.Set();
        }
        else if (Math.Max(0, retryAt - update.Timestamp) is <= MaxRetryMilliseconds and var delay)
        {
            // Both times are from the database's clock, so this machine's clock does not matter.
            wakeUp.SetAfter(TimeSpan.FromMilliseconds(delay));
        }
    }

    [LoggerMessage(3001, LogLevel.Information, "Worker {Owner} runs up to {Concurrency} generations at once")]
    private partial void LogStarted(string owner, int concurrency);

    [LoggerMessage(3005, LogLevel.Warning, "This worker has no provider for {Tasks}: their generations wait for another worker")]
    private partial void LogNoProvider(string tasks);

    [LoggerMessage(3002, LogLevel.Warning, "The database did not answer a claim; the next attempt is in {Pause}: {Reason}")]
    private partial void LogDatabaseAway(TimeSpan pause, string reason);

    [LoggerMessage(3004, LogLevel.Error, "A claim failed; the next attempt is in {Pause}")]
    private partial void LogClaimFailed(Exception exception, TimeSpan pause);

    [LoggerMessage(3003, LogLevel.Information, "Stopping: {Count} generations may finish within {GracePeriod}; the rest are handed back")]
    private partial void LogDraining(int count, TimeSpan gracePeriod);
}
