using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Attempts;

namespace StatusUpdates.Worker.Jobs;

/// <summary>
/// Extends this worker's leases, all of them in one statement every third of a lease, and acts on the result: an attempt whose lease is gone is
/// stopped, a generation with a cancel request is stopped, and a generation whose lease has no running job here is handed back to the queue.
/// </summary>
internal sealed partial class LeaseHeartbeat(
    GenerationQueue queue,
    StatusLog log,
    RunningJobs jobs,
    IOptions<WorkerOptions> options,
    TimeProvider time,
    ILogger<LeaseHeartbeat> logger) : BackgroundService
{
    private static readonly TimeSpan ClaimPatience = TimeSpan.FromSeconds(1);

    /// <summary>Extends the leases once.</summary>
    /// <returns>Whether all of them were. A generation that is locked by someone else is skipped; its lease is not lost either.</returns>
    /// <exception cref="NpgsqlException">The database is unavailable.</exception>
    internal async Task<bool> RunOnceAsync(CancellationToken cancellationToken)
    {
        // Taken before the statement: a generation claimed meanwhile must not look as if it had lost its lease.
        var running = jobs.Snapshot();
        var held = await queue.ExtendLeasesAsync(jobs.Owner, running.Select(job => job.Generation.Id), options.Value.Lease, cancellationToken);

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

        // Not the locked ones: handing them back would wait for the lock and delay the next heartbeat.
        HeldLease[] extended = [.. held.Where(lease => lease.IsExtended)];
        foreach (var lease in await jobs.FindOrphanedAsync(extended, ClaimPatience, cancellationToken))
        {
            await HandBackAsync(lease, cancellationToken);
        }

        return extended.Length == held.Count;
    }

    /// <summary>Like <see cref="RunOnceAsync"/>, but logs failures and returns false instead of throwing.</summary>
    internal async Task<bool> TryRunOnceAsync(CancellationToken cancellationToken)
    {
        var startedAt = time.GetUtcNow();
        try
        {
            return await RunOnceAsync(cancellationToken);
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
            // Any failure: the next heartbeat may succeed, and running jobs continue until then.
            WorkerTelemetry.HeartbeatFailed(startedAt, time.GetUtcNow(), e);
            LogFailed(e);
            return false;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            for (var areExtended = true; ; stoppingToken.ThrowIfCancellationRequested())
            {
                await Task.Delay(options.Value.Lease / (areExtended ? 3 : 10), time, stoppingToken);
                areExtended = await TryRunOnceAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The job runner, which was stopped earlier, has settled all jobs.
        }
    }

    private async Task HandBackAsync(HeldLease lease, CancellationToken cancellationToken)
    {
        var result = await log.AppendAsync(
            new StatusChange { GenerationId = lease.GenerationId, Status = GenerationStatus.Pending, Attempt = lease.Attempt },
            cancellationToken);

        // Otherwise its run had just ended when the leases were read, or its owner had asked to cancel it.
        if (result.Update?.Status == GenerationStatus.Pending)
        {
            WorkerTelemetry.CountHandBack();
            LogHandedBack(lease.GenerationId, lease.Attempt);
        }
    }

    [LoggerMessage(3102, LogLevel.Warning, "{GenerationId}, attempt {Attempt}, had a lease but no running job; it goes back to the queue")]
    private partial void LogHandedBack(string generationId, int attempt);

    [LoggerMessage(3104, LogLevel.Error, "The heartbeat failed; leases may expire")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(3103, LogLevel.Warning, "The database did not accept the heartbeat; leases may expire: {Reason}")]
    private partial void LogDatabaseAway(string reason);
}
