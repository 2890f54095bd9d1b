using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>
/// Turns a provider's progress into updates: one at a time, rising, and at most one per interval. What comes sooner is parked, and the
/// newest of it is written when the interval is over; what is parked at the end is dropped, since the outcome says more. Thread-safe.
/// </summary>
internal sealed class ProgressReporter(BaseProcessor processor, RunningJob job, TimeSpan interval, TimeProvider time) : IProviderProgress, IAsyncDisposable
{
    private readonly Lock _lock = new();

    // Invariants: nothing is written twice at once; a value is parked only while a write or the timer is to come that takes it.
    private Task _write = Task.CompletedTask;
    private ITimer? _timer;
    private long? _lastWrite;
    private int _highest = -1;
    private int? _parked;
    private bool _isWriting;
    private bool _isBroken;
    private bool _hasEnded;

    public Task ReportAsync(int percent, CancellationToken cancellationToken)
    {
        var progress = Math.Clamp(percent, 0, 100);
        lock (_lock)
        {
            job.Stopping.ThrowIfCancellationRequested();
            if (_hasEnded)
            {
                throw new OperationCanceledException("The attempt is over.");
            }

            if (_isBroken)
            {
                return _write;
            }

            if (progress <= _highest)
            {
                return Task.CompletedTask;
            }

            _highest = progress;
            if (_isWriting || _parked is not null)
            {
                _parked = progress;
                return Task.CompletedTask;
            }

            if (TimeToWait() is var wait && wait > TimeSpan.Zero)
            {
                Park(progress, wait);
                return Task.CompletedTask;
            }

            StartWriting(progress);
            return _write.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Ends the reporting: nothing is written after it. Throws what a write failed with that nobody waited for.</summary>
    public async Task EndAsync()
    {
        Task write;
        ITimer? timer;
        lock (_lock)
        {
            _hasEnded = true;
            _parked = null;
            write = _write;
            timer = _timer;
            _timer = null;
        }

        if (timer is not null)
        {
            await timer.DisposeAsync();
        }

        await write;
    }

    public async ValueTask DisposeAsync() => await EndAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private TimeSpan TimeToWait() => _lastWrite is { } last ? interval - time.GetElapsedTime(last) : TimeSpan.Zero;

    private void Park(int progress, TimeSpan wait)
    {
        _parked = progress;
        _timer ??= time.CreateTimer(static self => ((ProgressReporter)self!).WriteParked(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    private void WriteParked()
    {
        lock (_lock)
        {
            if (_parked is { } progress && !_isWriting && !job.Stopping.IsCancellationRequested)
            {
                _parked = null;
                StartWriting(progress);
            }
        }
    }

    // On the thread pool: what reports or ticks does not do the work of the write under the lock.
    private void StartWriting(int progress)
    {
        _isWriting = true;
        _write = Task.Run(() => WriteAsync(progress));
    }

    // Takes no token: a statement that was sent is not called back, its caller only stops to wait.
    private async Task WriteAsync(int progress)
    {
        var goesOn = false;
        try
        {
            await processor.UpdateStatusAsync(
                job, GenerationStatus.Processing, new StatusDetails { Progress = progress }, CancellationToken.None);
            goesOn = true;
        }
        catch (Exception e) when (DatabaseErrors.MayPass(e))
        {
            // The next progress says more, and the outcome is waited for.
            goesOn = true;
        }
        finally
        {
            lock (_lock)
            {
                _isWriting = false;
                _isBroken = !goesOn;
                _lastWrite = time.GetTimestamp();
                if (_parked is { } next)
                {
                    _parked = null;
                    Continue(next);
                }
            }
        }
    }

    // Counted from the end of a write: its commit may be as late as that.
    private void Continue(int progress)
    {
        if (_isBroken || job.Stopping.IsCancellationRequested)
        {
            return;
        }

        if (interval > TimeSpan.Zero)
        {
            Park(progress, interval);
        }
        else
        {
            StartWriting(progress);
        }
    }
}
