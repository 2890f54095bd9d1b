using StatusUpdates.Messaging;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Turns a provider's progress into updates: one at a time, and rising. Thread-safe.</summary>
internal sealed class ProgressReporter(BaseProcessor processor, RunningJob job) : IProviderProgress, IDisposable
{
    private readonly SemaphoreSlim _turn = new(1, 1);
    private int _last = -1;

    public async Task ReportAsync(int percent, CancellationToken cancellationToken)
    {
        job.Stopping.ThrowIfCancellationRequested();
        await _turn.WaitAsync(cancellationToken);
        try
        {
            var progress = Math.Clamp(percent, 0, 100);
            if (progress <= _last)
            {
                return;
            }

            await processor.UpdateStatusAsync(
                job, GenerationStatus.Processing, new StatusDetails { Progress = progress }, cancellationToken);
            _last = progress;
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();
}
