using StatusUpdates.LocalHosting.Hosting;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>How one instance of a resource is.</summary>
/// <param name="Id">The resource's name, or with several replicas its name and a number.</param>
/// <param name="Resource">What it is an instance of.</param>
/// <param name="State">One of <see cref="KnownResourceStates"/>.</param>
internal sealed record InstanceState(string Id, IResource Resource, string State)
{
    public bool IsHealthy { get; init; }

    /// <summary>Where it can be reached; empty if nowhere.</summary>
    public string Address { get; init; } = "";

    /// <summary>0 if it has no process.</summary>
    public int ProcessId { get; init; }

    /// <summary>Why it is not well; empty if it is.</summary>
    public string Problem { get; init; } = "";

    /// <summary>It will not come up by itself.</summary>
    public bool IsOver => State == KnownResourceStates.FailedToStart || State == KnownResourceStates.Exited;
}

/// <summary>The present state of all instances. Thread-safe; waiters are woken by every change.</summary>
internal sealed class StateBoard
{
    private readonly Lock _gate = new();
    private readonly List<InstanceState> _instances = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Raised after each change, with the new state, on the thread that made it.</summary>
    public event Action<InstanceState>? Changed;

    public IReadOnlyList<InstanceState> All
    {
        get
        {
            lock (_gate)
            {
                return [.. _instances];
            }
        }
    }

    public void Add(string id, IResource resource)
    {
        lock (_gate)
        {
            _instances.Add(new InstanceState(id, resource, KnownResourceStates.NotStarted));
        }
    }

    public void Update(string id, Func<InstanceState, InstanceState> change)
    {
        InstanceState after;
        TaskCompletionSource wake;
        lock (_gate)
        {
            var index = _instances.FindIndex(instance => instance.Id == id);
            after = change(_instances[index]);
            if (after == _instances[index])
            {
                return;
            }

            _instances[index] = after;
            wake = _changed;
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        wake.SetResult();
        Changed?.Invoke(after);
    }

    /// <summary>Waits until the instances of a resource, or the one of that id, are as wished.</summary>
    /// <exception cref="DistributedApplicationException">There is none.</exception>
    public async Task<IReadOnlyList<InstanceState>> UntilAsync(
        string name, Func<IReadOnlyList<InstanceState>, bool> wish, CancellationToken cancellationToken)
    {
        while (true)
        {
            List<InstanceState> present;
            Task change;
            lock (_gate)
            {
                present = _instances.FindAll(instance => instance.Id == name || instance.Resource.Name == name);
                change = _changed.Task;
            }

            if (present.Count == 0)
            {
                throw new DistributedApplicationException($"The application has no resource '{name}'.");
            }

            if (wish(present))
            {
                return present;
            }

            await change.WaitAsync(cancellationToken);
        }
    }
}
