using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>
/// Turns a provider's progress into updates: one at a time, increasing, and at most one per interval. Progress that comes sooner is parked, and the
/// newest value is written when the interval is over; a value still parked at the end is dropped, since the outcome says more. Thread-safe.
/// </summary>
internal sealed class ProgressReporter(AttemptWriter writer, RunningJob job, TimeSpan interval, TimeProvider time) : IProviderProgress, IAsyncDisposable
{
    private readonly Lock _lock = new();

    // Invariants: only one write at a time; a value is parked only while a pending write or timer will take it.
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

    /// <summary>Ends the reporting: nothing is written afterwards. Throws the failure of a write that no caller awaited.</summary>
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

    // On the thread pool: neither the reporting caller nor the timer must do the write under the lock.
    private void StartWriting(int progress)
    {
        _isWriting = true;
        _write = Task.Run(() => WriteAsync(progress));
    }

    // Takes no token: a statement that was sent is not canceled; its caller only stops waiting.
    private async Task WriteAsync(int progress)
    {
        var canContinue = false;
        try
        {
            await writer.UpdateStatusAsync(job, job.ChangeTo(GenerationStatus.Processing) with { Progress = progress }, CancellationToken.None);
            canContinue = true;
        }
        catch (Exception e) when (DatabaseErrors.IsTransient(e))
        {
            // Ignored: the next progress says more, and the outcome waits for the database.
            canContinue = true;
        }
        finally
        {
            lock (_lock)
            {
                _isWriting = false;
                _isBroken = !canContinue;
                _lastWrite = time.GetTimestamp();
                if (_parked is { } next)
                {
                    _parked = null;
                    WriteNext(next);
                }
            }
        }
    }

    // The interval counts from the end of the write: its commit may be as late as that.
    private void WriteNext(int progress)
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
