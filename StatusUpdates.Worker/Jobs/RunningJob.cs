using StatusUpdates.Data.Queue;

namespace StatusUpdates.Worker.Jobs;

/// <summary>
/// One attempt at a generation while it runs in this process. Thread-safe. Life: added to <see cref="RunningJobs"/>, started, settled (its
/// outcome is written, or will never be), ended (its provider has come back, and its slot is free).
/// </summary>
internal sealed class RunningJob : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _leave;
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
        _leave = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        LeaveBehind = _leave.Token;
        _patience = patience;

        // By this process's clock from the claim on: only the time left was taken over from the database.
        _deadline = generation.TimeLeft is not { } left ? null : time.CreateTimer(
            static job => ((RunningJob)job!).Stop(StopReason.DeadlinePassed),
            this,
            left > TimeSpan.Zero ? left : TimeSpan.Zero,
            Timeout.InfiniteTimeSpan);
    }

    public ClaimedGeneration Generation { get; }

    /// <summary>How long it is of any use from now on; null for ever.</summary>
    public TimeSpan? TimeLeft => Generation.TimeLeft - _time.GetElapsedTime(_claimedAt);

    /// <summary>Fires when the attempt is to stop: the processor's token.</summary>
    public CancellationToken Stopping { get; }

    /// <summary>Fires when a stopped processor has had its time to come back.</summary>
    public CancellationToken LeaveBehind { get; }

    /// <summary>Ends when the outcome is written.</summary>
    public Task Settled => _settled.Task;

    /// <summary>Ends when the provider has come back and the slot is free again.</summary>
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

    /// <summary>Starts the work on the thread pool: a provider may compute for long before it first waits.</summary>
    public void Start(Func<RunningJob, Task> run) => _run.SetResult(Task.Run(() => run(this)));

    /// <summary>Fires <see cref="Stopping"/>, without waiting for those who listen to it.</summary>
    /// <returns>False if it was stopped before, or its outcome is being written.</returns>
    public bool Stop(StopReason reason)
    {
        lock (_lock)
        {
            return !_isSettling && TryStop(reason);
        }
    }

    /// <summary>Stops it because one of its own writes cannot be; also the last one.</summary>
    public void StopWriting(StopReason reason)
    {
        lock (_lock)
        {
            TryStop(reason);
        }
    }

    /// <summary>From here on the outcome is being written, and nothing stops the attempt any more.</summary>
    /// <returns>False if it was stopped: then its outcome is another.</returns>
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

        // A callback of the provider's that threw is the provider's affair, and it has ended.
        await _stopping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        _leave.Dispose();
    }

    private bool TryStop(StopReason reason)
    {
        if (_isDisposed || _reason is not null)
        {
            return false;
        }

        _reason = reason;
        _leave.CancelAfter(_patience);
        _stopping = _stop.CancelAsync();
        return true;
    }
}
