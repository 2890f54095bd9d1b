using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;

namespace StatusUpdates.Worker.Jobs;

/// <summary>
/// Keeps this worker's leases alive, all of them by one statement every third of a lease, and acts on what it hears: a lease that is gone
/// stops its attempt, a cancel request stops its generation, and a lease that nothing here runs for goes back to the queue. Cancel requests
/// also come by Redis, within milliseconds.
/// </summary>
internal sealed partial class LeaseHeartbeat(
    GenerationQueue queue,
    StatusLog log,
    RunningJobs jobs,
    WorkerIdentity identity,
    StatusSubscriber subscriber,
    IOptions<WorkerOptions> options,
    TimeProvider time,
    ILogger<LeaseHeartbeat> logger) : BackgroundService
{
    private static readonly TimeSpan ClaimPatience = TimeSpan.FromSeconds(1);

    /// <summary>Extends the leases once.</summary>
    /// <exception cref="NpgsqlException">The database is away.</exception>
    internal async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        // Taken before the statement: what is claimed while it runs is not missed in its answer.
        var running = jobs.Snapshot();
        var held = await queue.ExtendLeasesAsync(identity.Owner, options.Value.Lease, cancellationToken);

        var leases = held.Select(h => (h.GenerationId, h.Attempt)).ToHashSet();
        foreach (var job in running)
        {
            if (!leases.Contains((job.Generation.Id, job.Generation.Attempt)))
            {
                job.Stop(StopReason.LeaseLost);
            }
        }

        foreach (var lease in held.Where(l => l.IsCancelRequested))
        {
            jobs.RequestCancel(lease.GenerationId);
        }

        foreach (var lease in await jobs.FindUnknownAsync(held, ClaimPatience, cancellationToken))
        {
            await HandBackAsync(lease, cancellationToken);
        }
    }

    /// <summary>As <see cref="RunOnceAsync"/>, telling instead of throwing whether the database answered in time.</summary>
    internal async Task<bool> TryRunOnceAsync(CancellationToken cancellationToken)
    {
        var startedAt = time.GetUtcNow();
        try
        {
            await RunOnceAsync(cancellationToken);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        catch (NpgsqlException e)
        {
            WorkerTelemetry.HeartbeatFailed(startedAt, time.GetUtcNow(), e);
            LogDatabaseAway(e.Message);
            return false;
        }
        catch (Exception e)
        {
            // Whatever it is: the next beat may do, and what runs goes on until then.
            WorkerTelemetry.HeartbeatFailed(startedAt, time.GetUtcNow(), e);
            LogFailed(e);
            return false;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await using var subscription = await subscriber.SubscribeCancelRequestsAsync(jobs.RequestCancel, stoppingToken);
            for (var answered = true; ; stoppingToken.ThrowIfCancellationRequested())
            {
                await Task.Delay(options.Value.Lease / (answered ? 3 : 10), time, stoppingToken);
                answered = await TryRunOnceAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The runner, which was stopped before, has settled what ran.
        }
    }

    private async Task HandBackAsync(HeldLease lease, CancellationToken cancellationToken)
    {
        var result = await log.AppendAsync(
            new StatusChange { GenerationId = lease.GenerationId, Status = GenerationStatus.Pending, Attempt = lease.Attempt },
            cancellationToken);

        // Else its run had just ended when the leases were read, or its owner had asked for its end.
        if (result.Update?.Status == GenerationStatus.Pending)
        {
            WorkerTelemetry.CountHandBack();
            LogHandedBack(lease.GenerationId, lease.Attempt);
        }
    }

    [LoggerMessage(3102, LogLevel.Warning, "{GenerationId}, attempt {Attempt}, was held and not run; it goes back to the queue")]
    private partial void LogHandedBack(string generationId, int attempt);

    [LoggerMessage(3104, LogLevel.Error, "The heartbeat failed; leases may run out")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(3103, LogLevel.Warning, "The database did not take the heartbeat; leases may run out: {Reason}")]
    private partial void LogDatabaseAway(string reason);
}
