using System.Diagnostics;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;

namespace StatusUpdates.Worker.Attempts;

/// <summary>
/// One attempt at a generation while it runs in this process. Thread-safe. Lifecycle: added to <see cref="Jobs.RunningJobs"/>, started, settled
/// (its outcome is written, or never will be), ended (its provider has returned, and its slot is free).
/// </summary>
internal sealed class RunningJob : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _abandon;
    private readonly ITimer? _deadline;
    private readonly TimeProvider _time;
    private readonly long _claimedAt;
    private readonly TimeSpan _patience;
    private readonly TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Task> _run = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _stopping = Task.CompletedTask;
    private StopReason? _reason;
    private bool _isSettling;
    private bool _isDisposed;

    public RunningJob(ClaimedGeneration generation, TimeSpan patience, TimeProvider time)
    {
        Generation = generation;
        (_time, _claimedAt) = (time, time.GetTimestamp());
        Stopping = _stop.Token;
        _abandon = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        Abandoned = _abandon.Token;
        _patience = patience;

        // Measured by this process's clock from the claim on: the database only gives the time left.
        _deadline = generation.TimeLeft is not { } left ? null : time.CreateTimer(
            static job => ((RunningJob)job!).Stop(StopReason.DeadlinePassed),
            this,
            left > TimeSpan.Zero ? left : TimeSpan.Zero,
            Timeout.InfiniteTimeSpan);
    }

    public ClaimedGeneration Generation { get; }

    /// <summary>The time until its deadline; null if it has none.</summary>
    public TimeSpan? TimeLeft => Generation.TimeLeft - _time.GetElapsedTime(_claimedAt);

    /// <summary>Fires when the attempt has to stop; the processor's token.</summary>
    public CancellationToken Stopping { get; }

    /// <summary>Fires when a stopped processor has not returned within the stop patience.</summary>
    public CancellationToken Abandoned { get; }

    /// <summary>Completes when the outcome is written, or never will be.</summary>
    public Task Settled => _settled.Task;

    /// <summary>Completes when the provider has returned and the slot is free again.</summary>
    public Task Ended => _run.Task.Unwrap();

    /// <summary>Why it was stopped; null if it was not.</summary>
    public StopReason? Reason
    {
        get
        {
            lock (_lock)
            {
                return _reason;
            }
        }
    }

    /// <summary>A change by this attempt. Its number is the fencing token: changes of an attempt that lost its lease are refused.</summary>
    public StatusChange ChangeTo(GenerationStatus status) => new()
    {
        GenerationId = Generation.Id,
        UserId = Generation.UserId,
        Status = status,
        Attempt = Generation.Attempt,
        TraceParent = Activity.Current?.Id ?? Generation.TraceParent,
    };

    /// <summary>Starts the work on the thread pool: a provider may compute for long before its first await.</summary>
    public void Start(Func<RunningJob, Task> run) => _run.SetResult(Task.Run(() => run(this)));

    /// <summary>Fires <see cref="Stopping"/> without waiting for its callbacks.</summary>
    /// <returns>False if it was stopped before, or its outcome is being written.</returns>
    public bool Stop(StopReason reason)
    {
        lock (_lock)
        {
            return !_isSettling && TryStop(reason);
        }
    }

    /// <summary>Stops it because one of its own writes was refused, even that of its outcome.</summary>
    public void StopWriting(StopReason reason)
    {
        lock (_lock)
        {
            TryStop(reason);
        }
    }

    /// <summary>Marks the outcome as being written: from here on <see cref="Stop"/> has no effect.</summary>
    /// <returns>False if it was stopped: then it has another outcome.</returns>
    public bool TryBeginSettling()
    {
        lock (_lock)
        {
            return _isSettling = _reason is null;
        }
    }

    public void Settle() => _settled.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _isDisposed = true;
        }

        if (_deadline is not null)
        {
            await _deadline.DisposeAsync();
        }

        // The provider has ended; exceptions from its own callbacks do not matter.
        await _stopping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        _abandon.Dispose();
    }

    private bool TryStop(StopReason reason)
    {
        if (_isDisposed || _reason is not null)
        {
            return false;
        }

        _reason = reason;
        _abandon.CancelAfter(_patience);
        _stopping = _stop.CancelAsync();
        return true;
    }
}
