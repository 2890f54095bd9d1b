using StatusUpdates.Data.Queue;

namespace StatusUpdates.Api.Workers;

/// <summary>Extends the leases of workers, and tells them what to stop. Thread-safe.</summary>
internal sealed class HeartbeatDesk(
    GenerationQueue queue, AttemptQueries queries, AttemptOptions attempts, StopHints hints, IHostApplicationLifetime lifetime, TimeProvider time)
{
    /// <summary>Extends at once; then waits for something to stop, if that was asked for.</summary>
    /// <param name="beat">The heartbeat.</param>
    /// <param name="gone">The client has disconnected.</param>
    public async Task<HeartbeatView> BeatAsync(WorkerBeat beat, CancellationToken gone)
    {
        string[] ids = [.. beat.Running.Select(running => running.Id).Distinct(StringComparer.Ordinal)];
        using var watch = hints.Begin(ids);
        var startedAt = time.GetTimestamp();
        var expiresAt = time.GetUtcNow() + beat.Lease;
        var held = await queue.ExtendRunningAsync(beat.Owner, ids, beat.Lease, attempts.Timeout, gone);
        var (listed, unlisted) = Split(beat, held);
        var isExtended = listed.All(lease => lease.IsExtended || ReasonToStop(lease) is not null);

        using var over = CancellationTokenSource.CreateLinkedTokenSource(gone, lifetime.ApplicationStopping);
        var (stop, lost) = Judge(beat, listed);
        while (stop.Count + lost.Count == 0 && beat.Wait - time.GetElapsedTime(startedAt) is { Ticks: > 0 } left && !over.IsCancellationRequested)
        {
            var next = listed.Select(TimeToStop).Append(left).Min();
            await watch.WaitAsync(next > TimeSpan.Zero ? next : TimeSpan.Zero, time, over.Token);
            if (time.GetElapsedTime(startedAt) < beat.Wait && !over.IsCancellationRequested)
            {
                listed = [.. (await queries.FindHeldAsync(beat.Owner, ids, gone)).Select(found => found.Lease)];
                (stop, lost) = Judge(beat, listed);
            }
        }

        var due = (beat.Lease / (isExtended ? 3 : 10)) - time.GetElapsedTime(startedAt);
        return new(
            expiresAt,
            Math.Max(0, Math.Round(due.TotalSeconds, 1)),
            stop,
            lost,
            [.. unlisted.Select(lease => new AttemptRef(lease.GenerationId, lease.Attempt))]);
    }

    private static (IReadOnlyList<HeldLease> Listed, IReadOnlyList<HeldLease> Unlisted) Split(WorkerBeat beat, IReadOnlyList<HeldLease> held)
    {
        var running = beat.Running.ToHashSet();
        var split = held.ToLookup(lease => running.Contains(new(lease.GenerationId, lease.Attempt)));
        return ([.. split[true]], [.. split[false]]);
    }

    private (IReadOnlyList<StopView> Stop, IReadOnlyList<AttemptRef> Lost) Judge(WorkerBeat beat, IReadOnlyList<HeldLease> held)
    {
        var leases = held.ToDictionary(lease => (lease.GenerationId, lease.Attempt));
        var stop = new List<StopView>();
        var lost = new List<AttemptRef>();
        foreach (var running in beat.Running.Distinct())
        {
            if (!leases.TryGetValue((running.Id, running.Attempt), out var lease))
            {
                lost.Add(running);
            }
            else if (ReasonToStop(lease) is { } reason)
            {
                stop.Add(new(running.Id, running.Attempt, reason));
            }
        }

        return (stop, lost);
    }

    private string? ReasonToStop(HeldLease lease) =>
        lease.IsCancelRequested ? "cancel_requested"
        : lease.TimeLeft <= TimeSpan.Zero ? "deadline_passed"
        : lease.RunningFor >= attempts.Timeout ? "timed_out"
        : null;

    private TimeSpan TimeToStop(HeldLease lease)
    {
        var left = attempts.Timeout - lease.RunningFor;
        return lease.TimeLeft < left ? lease.TimeLeft.Value : left;
    }
}
