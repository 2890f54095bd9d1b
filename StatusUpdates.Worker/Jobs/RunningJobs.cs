using System.Globalization;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Queue;
using StatusUpdates.Worker.Attempts;

namespace StatusUpdates.Worker.Jobs;

/// <summary>The jobs that run in this process: one slot each, found by generation. Thread-safe.</summary>
internal sealed class RunningJobs(IOptions<WorkerOptions> options, TimeProvider time) : IDisposable
{
    // As many cancel requests as may arrive during one claim; beyond that the heartbeat finds them.
    private const int MaxEarlyCancels = 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Id, int Attempt), RunningJob> _jobs = [];
    private readonly HashSet<string> _earlyCancels = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _claiming = new(1, 1);

    /// <summary>The owner of these jobs' leases: unique for each start of a process, so a restarted worker is never mistaken for its predecessor.</summary>
    public string Owner { get; } = string.Create(
        CultureInfo.InvariantCulture, $"{Environment.MachineName}:{Environment.ProcessId}:{Guid.CreateVersion7():N}");

    /// <summary>The number of free slots.</summary>
    public int Free
    {
        get
        {
            lock (_lock)
            {
                return options.Value.Concurrency - _jobs.Count;
            }
        }
    }

    public IReadOnlyList<RunningJob> Snapshot()
    {
        lock (_lock)
        {
            return [.. _jobs.Values];
        }
    }

    /// <summary>
    /// Claims and registers in one step, for callers that need to know what a claim has taken: until it is over, a lease or a cancel request
    /// may belong to a generation that this worker holds but does not know yet.
    /// </summary>
    public async Task<(ClaimResult Result, IReadOnlyList<RunningJob> Jobs)> ClaimAsync(
        Func<Task<ClaimResult>> claim, CancellationToken cancellationToken)
    {
        await _claiming.WaitAsync(cancellationToken);
        try
        {
            lock (_lock)
            {
                _earlyCancels.Clear();
            }

            var result = await claim();
            return (result, [.. result.Claimed.Select(Add)]);
        }
        finally
        {
            _claiming.Release();
        }
    }

    /// <summary>
    /// Returns the leases without a running job here. A settled job does not count as running, even if its provider has not returned: if it still
    /// has a lease, its outcome could not be written. Checked while no claim is under way; empty if a claim takes longer than
    /// <paramref name="patience"/>.
    /// </summary>
    public async Task<IReadOnlyList<HeldLease>> FindOrphanedAsync(
        IReadOnlyList<HeldLease> leases, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (leases.All(IsRunning) || !await _claiming.WaitAsync(patience, cancellationToken))
        {
            return [];
        }

        try
        {
            return [.. leases.Where(l => !IsRunning(l))];
        }
        finally
        {
            _claiming.Release();
        }
    }

    /// <summary>Whether the generation runs here, or may be taken by a claim under way.</summary>
    public bool MayHold(string generationId)
    {
        lock (_lock)
        {
            return _claiming.CurrentCount == 0 || _jobs.Keys.Any(key => key.Id == generationId);
        }
    }

    /// <summary>Stops a generation that has a cancel request in the database; one that is just being claimed is stopped when it is registered.</summary>
    public void RequestCancel(string generationId)
    {
        RunningJob[] jobs;
        lock (_lock)
        {
            jobs = [.. _jobs.Values.Where(j => j.Generation.Id == generationId)];
            if (jobs.Length == 0 && _claiming.CurrentCount == 0 && _earlyCancels.Count < MaxEarlyCancels)
            {
                _earlyCancels.Add(generationId);
            }
        }

        foreach (var job in jobs)
        {
            job.Stop(StopReason.CancelRequested);
        }
    }

    /// <summary>Frees the slot.</summary>
    public void Remove(RunningJob job)
    {
        lock (_lock)
        {
            _jobs.Remove((job.Generation.Id, job.Generation.Attempt));
        }
    }

    public void Dispose() => _claiming.Dispose();

    private bool IsRunning(HeldLease lease)
    {
        lock (_lock)
        {
            return _jobs.TryGetValue((lease.GenerationId, lease.Attempt), out var job) && !job.Settled.IsCompleted;
        }
    }

    private RunningJob Add(ClaimedGeneration generation)
    {
        var job = new RunningJob(generation, options.Value.StopPatience, time);
        RunningJob[] earlier;
        bool isCanceled;
        lock (_lock)
        {
            earlier = [.. _jobs.Values.Where(j => j.Generation.Id == generation.Id)];
            isCanceled = _earlyCancels.Remove(generation.Id);
            _jobs.Add((generation.Id, generation.Attempt), job);
        }

        // This worker claimed a generation again after losing its lease: it must never run twice at once.
        foreach (var lost in earlier)
        {
            lost.Stop(StopReason.LeaseLost);
        }

        if (isCanceled)
        {
            job.Stop(StopReason.CancelRequested);
        }

        return job;
    }
}
