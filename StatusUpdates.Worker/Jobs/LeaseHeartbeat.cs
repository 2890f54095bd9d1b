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
/// stops its attempt, a cancel request stops its generation, and a lease that nothing here runs for goes back to the queue.
/// </summary>
internal sealed partial class LeaseHeartbeat(
    GenerationQueue queue,
    StatusLog log,
    RunningJobs jobs,
    WorkerIdentity identity,
    IOptions<WorkerOptions> options,
    TimeProvider time,
    ILogger<LeaseHeartbeat> logger) : BackgroundService
{
    private static readonly TimeSpan ClaimPatience = TimeSpan.FromSeconds(1);

    /// <summary>Extends the leases once.</summary>
    /// <returns>Whether all of them were; what is locked by somebody is not, and is not lost either.</returns>
    /// <exception cref="NpgsqlException">The database is away.</exception>
    internal async Task<bool> RunOnceAsync(CancellationToken cancellationToken)
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

        // Handing back what is locked would wait for the lock, and the next beat with it.
        HeldLease[] extended = [.. held.Where(lease => lease.IsExtended)];
        foreach (var lease in await jobs.FindUnknownAsync(extended, ClaimPatience, cancellationToken))
        {
            await HandBackAsync(lease, cancellationToken);
        }

        return extended.Length == held.Count;
    }

    /// <summary>As <see cref="RunOnceAsync"/>, telling instead of throwing that the database did not answer in time.</summary>
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
            for (var areExtended = true; ; stoppingToken.ThrowIfCancellationRequested())
            {
                await Task.Delay(options.Value.Lease / (areExtended ? 3 : 10), time, stoppingToken);
                areExtended = await TryRunOnceAsync(stoppingToken);
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
