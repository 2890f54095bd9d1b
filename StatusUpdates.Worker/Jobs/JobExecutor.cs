using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Processors;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Jobs;

/// <summary>Runs one attempt with its processor and makes sure that it gets an outcome, whatever the processor does. Thread-safe.</summary>
internal sealed partial class JobExecutor(
    ProcessorRegistry processors,
    AttemptWriter writer,
    RetryPlan retries,
    IOptions<WorkerOptions> options,
    AttemptOptions attempts,
    TimeProvider time,
    ILogger<JobExecutor> logger)
{
    private static readonly TimeSpan MaxProgressInterval = TimeSpan.FromDays(1);

    private static readonly Func<ILogger, string, int, IDisposable?> JobScope =
        LoggerMessage.DefineScope<string, int>("Generation {GenerationId}, attempt {Attempt}");

    private readonly TimeSpan _progressInterval = options.Value.ProgressPerSecond > 0
        ? TimeSpan.FromSeconds(Math.Min(1 / options.Value.ProgressPerSecond, MaxProgressInterval.TotalSeconds))
        : TimeSpan.Zero;

    /// <summary>Returns when the processor has returned, which may be long after the outcome: see <see cref="RunningJob.Settled"/>.</summary>
    public async Task ExecuteAsync(RunningJob job)
    {
        using var scope = JobScope(logger, job.Generation.Id, job.Generation.Attempt);
        var processor = processors.Find(job.Generation.Task);
        Task work;
        using (var activity = WorkerTelemetry.StartJob(job.Generation))
        {
            var started = time.GetTimestamp();
            WorkerTelemetry.JobStarted(job.Generation);
            var outcome = JobOutcome.Dropped;
            work = Task.Run(() => processor.ProcessAsync(job, new ProgressReporter(writer, job, _progressInterval, time)));
            try
            {
                outcome = await SettleAsync(job, processor, work);
                if (outcome == JobOutcome.Completed)
                {
                    LogCompleted(time.GetElapsedTime(started));
                }
            }
            finally
            {
                if (outcome is JobOutcome.Failed or JobOutcome.Retried)
                {
                    activity?.SetStatus(ActivityStatusCode.Error);
                }

                WorkerTelemetry.JobEnded(job.Generation, outcome, time.GetElapsedTime(started));
                job.Settle();
            }
        }

        if (!work.IsCompleted)
        {
            // It keeps its slot until it returns: processors that ignore cancellation must not pile up.
            WorkerTelemetry.CountAbandoned(job.Generation);
            LogAbandoned(job.Reason);
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            LogReturned(work.Exception);
        }
    }

    private async Task<JobOutcome> SettleAsync(RunningJob job, BaseProcessor processor, Task work)
    {
        Exception failure;
        await using (time.CreateTimer(static j => ((RunningJob)j!).Stop(StopReason.TimedOut), job, attempts.Timeout, Timeout.InfiniteTimeSpan))
        {
            try
            {
                await work.WaitAsync(job.Abandoned);
                return JobOutcome.Completed;
            }
            catch (Exception e)
            {
                // Any exception: from a stopped processor it only means that it has stopped.
                failure = e;
            }
        }

        try
        {
            return job.TryBeginSettling()
                ? await WriteFailureAsync(job, processor, failure)
                : await WriteStopAsync(job, processor);
        }
        catch (OperationCanceledException)
        {
            return Lost();
        }
        catch (Exception e)
        {
            // The write already waits while the database is unavailable: after any other failure there is nothing left to try.
            LogNotWritten(e);
            return JobOutcome.Dropped;
        }
    }

    private async Task<JobOutcome> WriteStopAsync(RunningJob job, BaseProcessor processor)
    {
        // Written without the job's token, which has fired already.
        switch (job.Reason)
        {
            case StopReason.CancelRequested:
                await writer.UpdateStatusAsync(job, job.ChangeTo(GenerationStatus.Canceled), CancellationToken.None);
                LogCanceled();
                return JobOutcome.Canceled;
            case StopReason.ShuttingDown:
                return await WritePendingAsync(job, job.ChangeTo(GenerationStatus.Pending));
            case StopReason.TimedOut:
                return await WriteFailureAsync(job, processor, new TransientProviderException(QueueMessages.TimedOut(attempts.Timeout)));
            case StopReason.DeadlinePassed:
                await writer.UpdateStatusAsync(
                    job, job.ChangeTo(GenerationStatus.Failed) with { ErrorMessage = QueueMessages.DeadlinePassed }, CancellationToken.None);
                LogDeadlinePassed();
                return JobOutcome.Failed;
            case StopReason.LeaseLost:
                return Lost();
            default:
                throw new UnreachableException($"Unknown stop reason: {job.Reason}.");
        }
    }

    private async Task<JobOutcome> WriteFailureAsync(RunningJob job, BaseProcessor processor, Exception failure)
    {
        var change = job.ChangeTo(GenerationStatus.Failed) with { ErrorMessage = FailureMessage.Of(failure), CountsAsFailure = true };
        var retryAfter = (failure as TransientProviderException)?.RetryAfter;
        if (processor.IsTransient(failure) && retries.DelayAfter(job.Generation.Failures, retryAfter, job.TimeLeft) is { } delay)
        {
            LogRetried(failure, delay);
            return await WritePendingAsync(job, change with { Status = GenerationStatus.Pending, RunAfter = delay });
        }

        LogFailed(failure);
        await writer.UpdateStatusAsync(job, change, CancellationToken.None);
        return JobOutcome.Failed;
    }

    // Detected by the heartbeat, by a refused update, or by a claim of this worker itself.
    private JobOutcome Lost()
    {
        WorkerTelemetry.CountLostLease();
        LogLost();
        return JobOutcome.Lost;
    }

    /// <summary>Hands the generation back to the queue, or cancels it if its owner asked for that.</summary>
    private async Task<JobOutcome> WritePendingAsync(RunningJob job, StatusChange pending)
    {
        var update = await writer.UpdateStatusAsync(job, pending, CancellationToken.None);
        if (update.Status == GenerationStatus.Canceled)
        {
            LogCanceled();
            return JobOutcome.Canceled;
        }

        if (pending.CountsAsFailure)
        {
            return JobOutcome.Retried;
        }

        WorkerTelemetry.CountHandBack();
        LogHandedBack();
        return JobOutcome.Released;
    }

    [LoggerMessage(3201, LogLevel.Warning, "The generation failed")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(3210, LogLevel.Warning, "The attempt failed; the next one may begin in {Delay}")]
    private partial void LogRetried(Exception exception, TimeSpan delay);

    [LoggerMessage(3211, LogLevel.Information, "Completed in {Elapsed}")]
    private partial void LogCompleted(TimeSpan elapsed);

    [LoggerMessage(3202, LogLevel.Information, "Canceled by its owner")]
    private partial void LogCanceled();

    [LoggerMessage(3203, LogLevel.Information, "Handed back: this worker is stopping")]
    private partial void LogHandedBack();

    [LoggerMessage(3209, LogLevel.Information, "Failed: not finished by its deadline")]
    private partial void LogDeadlinePassed();

    [LoggerMessage(3205, LogLevel.Warning, "The lease was lost: another attempt has begun or the generation has ended; this attempt is stopped and writes nothing more")]
    private partial void LogLost();

    [LoggerMessage(3206, LogLevel.Error, "The outcome could not be written; the generation goes back to the queue with the next heartbeat or when its lease expires")]
    private partial void LogNotWritten(Exception exception);

    [LoggerMessage(3207, LogLevel.Error, "The provider did not return after it was stopped ({Reason}); it keeps its slot until it does")]
    private partial void LogAbandoned(StopReason? reason);

    [LoggerMessage(3208, LogLevel.Information, "The abandoned provider has returned")]
    private partial void LogReturned(Exception? exception);
}
