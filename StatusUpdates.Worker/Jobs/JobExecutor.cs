using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Processors;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Jobs;

/// <summary>Runs one attempt by its processor and sees to it that it comes to an outcome, whatever the processor does. Thread-safe.</summary>
internal sealed partial class JobExecutor(
    ProcessorRegistry processors, RetryPlan retries, IOptions<WorkerOptions> options, TimeProvider time, ILogger<JobExecutor> logger)
{
    private static readonly TimeSpan LongestProgressInterval = TimeSpan.FromDays(1);

    private static readonly Func<ILogger, string, int, IDisposable?> JobScope =
        LoggerMessage.DefineScope<string, int>("Generation {GenerationId}, attempt {Attempt}");

    private readonly TimeSpan _progressInterval = options.Value.ProgressPerSecond > 0
        ? TimeSpan.FromSeconds(Math.Min(1 / options.Value.ProgressPerSecond, LongestProgressInterval.TotalSeconds))
        : TimeSpan.Zero;

    /// <summary>Returns when the processor has come back, which may be long after the outcome: see <see cref="RunningJob.Settled"/>.</summary>
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
            work = Task.Run(() => processor.ProcessAsync(job, new ProgressReporter(processor, job, _progressInterval, time)));
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
            // It keeps its slot until it ends: what does not listen must not pile up.
            WorkerTelemetry.CountLeftBehind(job.Generation);
            LogLeftBehind(job.Reason);
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            LogCameBack(work.Exception);
        }
    }

    private async Task<JobOutcome> SettleAsync(RunningJob job, BaseProcessor processor, Task work)
    {
        Exception failure;
        await using (time.CreateTimer(static j => ((RunningJob)j!).Stop(StopReason.TimedOut), job, options.Value.JobTimeout, Timeout.InfiniteTimeSpan))
        {
            try
            {
                await work.WaitAsync(job.LeaveBehind);
                return JobOutcome.Completed;
            }
            catch (Exception e)
            {
                // Whatever a processor throws: of a stopped one it means no more than that it has stopped.
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
            // A database that is away was waited for: whatever this is, the run has nothing more to try.
            LogNotWritten(e);
            return JobOutcome.Dropped;
        }
    }

    private async Task<JobOutcome> WriteStopAsync(RunningJob job, BaseProcessor processor)
    {
        // Written without the job's token: it has fired, and this is what comes after it.
        switch (job.Reason)
        {
            case StopReason.CancelRequested:
                await processor.UpdateStatusAsync(job, GenerationStatus.Canceled, cancellationToken: CancellationToken.None);
                LogCanceled();
                return JobOutcome.Canceled;
            case StopReason.ShuttingDown:
                return await WritePendingAsync(job, processor, new StatusDetails());
            case StopReason.TimedOut:
                return await WriteFailureAsync(
                    job, processor, new TransientProviderException($"The generation did not finish within {options.Value.JobTimeout}."));
            case StopReason.DeadlinePassed:
                await processor.UpdateStatusAsync(
                    job, GenerationStatus.Failed, new StatusDetails { ErrorMessage = QueueMessages.DeadlinePassed }, CancellationToken.None);
                LogDeadlinePassed();
                return JobOutcome.Failed;
            case StopReason.LeaseLost:
                return Lost();
            default:
                throw new UnreachableException($"Stopped for no reason: {job.Reason}.");
        }
    }

    private async Task<JobOutcome> WriteFailureAsync(RunningJob job, BaseProcessor processor, Exception failure)
    {
        var details = new StatusDetails { ErrorMessage = FailureMessage.Of(failure), CountsAsFailure = true };

        // A next try that would come too late is none.
        if (processor.IsTransient(failure) && retries.DelayAfter(job.Generation, failure) is { } delay && !(delay >= job.TimeLeft))
        {
            LogRetried(failure, delay);
            return await WritePendingAsync(job, processor, details with { RunAfter = delay });
        }

        LogFailed(failure);
        await processor.UpdateStatusAsync(job, GenerationStatus.Failed, details, CancellationToken.None);
        return JobOutcome.Failed;
    }

    // However it was found out: by the heartbeat, by a refused update, or by a claim of this worker's own.
    private JobOutcome Lost()
    {
        WorkerTelemetry.CountLostLease();
        LogLost();
        return JobOutcome.Lost;
    }

    /// <summary>Back to the queue, or to its end if its owner no longer wants it.</summary>
    private async Task<JobOutcome> WritePendingAsync(RunningJob job, BaseProcessor processor, StatusDetails details)
    {
        var update = await processor.UpdateStatusAsync(job, GenerationStatus.Pending, details, CancellationToken.None);
        if (update.Status == GenerationStatus.Canceled)
        {
            LogCanceled();
            return JobOutcome.Canceled;
        }

        if (details.CountsAsFailure)
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

    [LoggerMessage(3203, LogLevel.Information, "Handed back: this worker stops")]
    private partial void LogHandedBack();

    [LoggerMessage(3209, LogLevel.Information, "Failed: not finished by its deadline")]
    private partial void LogDeadlinePassed();

    [LoggerMessage(3205, LogLevel.Warning, "The lease was lost: another attempt had begun or the generation had ended; this one is stopped and writes no more")]
    private partial void LogLost();

    [LoggerMessage(3206, LogLevel.Error, "The outcome could not be written; the generation goes back to the queue by the heartbeat or when its lease ends")]
    private partial void LogNotWritten(Exception exception);

    [LoggerMessage(3207, LogLevel.Error, "The provider did not come back when it was stopped ({Reason}); it keeps its slot until it does")]
    private partial void LogLeftBehind(StopReason? reason);

    [LoggerMessage(3208, LogLevel.Information, "The provider that had been left behind came back")]
    private partial void LogCameBack(Exception? exception);
}
