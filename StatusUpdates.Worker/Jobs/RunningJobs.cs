using Microsoft.Extensions.Options;
using StatusUpdates.Data.Queue;

namespace StatusUpdates.Worker.Jobs;

/// <summary>What runs in this process: the slots, and the way from a generation to its token. Thread-safe.</summary>
internal sealed class RunningJobs(IOptions<WorkerOptions> options, TimeProvider time) : IDisposable
{
    // As many cancel requests as may arrive during one claim; past that the heartbeat finds them.
    private const int MaxEarlyCancels = 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Id, int Attempt), RunningJob> _jobs = [];
    private readonly HashSet<string> _earlyCancels = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _claiming = new(1, 1);

    /// <summary>How many more can start.</summary>
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
    /// Claims and registers as one step, for those who need to know what a claim has taken: until it is over, a lease or a cancel request
    /// may belong to a generation that this worker holds and does not know of yet.
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
    /// Those of the leases that belong to nothing that runs here. What is settled does not run, though its provider may not have come back: a
    /// lease that it still has is one whose outcome could not be written. Told while no claim is under
    /// way; empty if one is for longer.
    /// </summary>
    public async Task<IReadOnlyList<HeldLease>> FindUnknownAsync(
        IReadOnlyList<HeldLease> leases, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (leases.All(IsRun) || !await _claiming.WaitAsync(patience, cancellationToken))
        {
            return [];
        }

        try
        {
            return [.. leases.Where(l => !IsRun(l))];
        }
        finally
        {
            _claiming.Release();
        }
    }

    /// <summary>Whether the generation runs here, or a claim that may take it is under way.</summary>
    public bool MayHold(string generationId)
    {
        lock (_lock)
        {
            return _claiming.CurrentCount == 0 || _jobs.Keys.Any(key => key.Id == generationId);
        }
    }

    /// <summary>Stops a generation that its owner no longer wants, as the database says; one that is just being claimed is stopped when it arrives.</summary>
    public void RequestCancel(string generationId)
    {
        RunningJob[] asked;
        lock (_lock)
        {
            asked = [.. _jobs.Values.Where(j => j.Generation.Id == generationId)];
            if (asked.Length == 0 && _claiming.CurrentCount == 0 && _earlyCancels.Count < MaxEarlyCancels)
            {
                _earlyCancels.Add(generationId);
            }
        }

        foreach (var job in asked)
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

    private bool IsRun(HeldLease lease)
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

        // This worker itself took over what it had lost: never twice at once.
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
