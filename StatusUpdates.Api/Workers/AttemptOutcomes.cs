using System.Diagnostics;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Workers;

/// <summary>
/// Ends attempts, by the same rules as our own worker. The fence is in the statement that appends: what is read before it only decides what a failure
/// becomes. A repeat is recognised by its update id, whatever was read. Thread-safe.
/// </summary>
internal sealed class AttemptOutcomes(
    StatusLog log, AttemptQueries queries, RetryPlan retries, AttemptOptions options, WorkerMetrics metrics)
{
    private static readonly AppendResult NotFound = new(null, RefusalReason.NotFound, null);

    /// <summary>Progress: one statement, and no more.</summary>
    public Task<AppendResult> UpdateAsync(WorkerAttempt attempt, int progress, CancellationToken cancellationToken) =>
        log.AppendAsync(ChangeOf(attempt, null, GenerationStatus.Processing) with { Progress = progress }, cancellationToken);

    /// <summary>Completes it.</summary>
    /// <returns>The outcome, and whether it is that of a generation whose deadline has passed: then it has failed instead.</returns>
    public async Task<(AppendResult Result, bool IsTooLate)> CompleteAsync(
        WorkerAttempt attempt, IReadOnlyList<string> resultUrls, long? tokensUsed, CancellationToken cancellationToken)
    {
        if (await queries.FindAsync(attempt.GenerationId, cancellationToken) is not { } state)
        {
            return (NotFound, false);
        }

        var isHeld = state.IsHeldBy(attempt.Owner, attempt.Attempt);
        if (isHeld && state.TimeLeft <= TimeSpan.Zero)
        {
            return (await EndAsync(state, DeadlinePassed(attempt, state), "failed", cancellationToken), true);
        }

        var change = ChangeOf(attempt, state, GenerationStatus.Completed) with { ResultUrls = resultUrls, TokensUsed = tokensUsed, Progress = 100 };
        return (await EndAsync(state, change, "completed", cancellationToken), false);
    }

    /// <summary>It failed: retried after a back-off if it may succeed and failures are left.</summary>
    public async Task<AppendResult> FailAsync(
        WorkerAttempt attempt, string? message, bool isRetryable, TimeSpan retryAfter, CancellationToken cancellationToken)
    {
        if (await queries.FindAsync(attempt.GenerationId, cancellationToken) is not { } state)
        {
            return NotFound;
        }

        return await FailAsync(
            attempt, state, string.IsNullOrWhiteSpace(message) ? QueueMessages.NoMessage : message, isRetryable, retryAfter, cancellationToken);
    }

    /// <summary>The worker stops without a result and without a failure of its own; why it had to stop decides what becomes of the generation.</summary>
    public async Task<AppendResult> ReleaseAsync(WorkerAttempt attempt, TimeSpan retryAfter, CancellationToken cancellationToken)
    {
        if (await queries.FindAsync(attempt.GenerationId, cancellationToken) is not { } state)
        {
            return NotFound;
        }

        if (state.IsHeldBy(attempt.Owner, attempt.Attempt) && !state.IsCancelRequested)
        {
            if (state.TimeLeft <= TimeSpan.Zero)
            {
                return await EndAsync(state, DeadlinePassed(attempt, state), "failed", cancellationToken);
            }

            if (state.RunningFor >= options.Timeout)
            {
                return await FailAsync(attempt, state, QueueMessages.TimedOut(options.Timeout), true, retryAfter, cancellationToken);
            }
        }

        var result = await EndAsync(
            state, ChangeOf(attempt, state, GenerationStatus.Pending) with { RunAfter = retryAfter }, "released", cancellationToken);
        metrics.HandedBack(result.Update?.Status == GenerationStatus.Pending ? 1 : 0);
        return result;
    }

    private Task<AppendResult> FailAsync(
        WorkerAttempt attempt, AttemptState state, string message, bool isRetryable, TimeSpan retryAfter, CancellationToken cancellationToken)
    {
        var change = ChangeOf(attempt, state, GenerationStatus.Failed) with { ErrorMessage = message, CountsAsFailure = true };
        return isRetryable && retries.DelayAfter(state.Failures, retryAfter, state.TimeLeft) is { } delay
            ? EndAsync(state, change with { Status = GenerationStatus.Pending, RunAfter = delay }, "retried", cancellationToken)
            : EndAsync(state, change, "failed", cancellationToken);
    }

    private static StatusChange DeadlinePassed(WorkerAttempt attempt, AttemptState state) =>
        ChangeOf(attempt, state, GenerationStatus.Failed) with { ErrorMessage = QueueMessages.DeadlinePassed };

    private async Task<AppendResult> EndAsync(AttemptState state, StatusChange change, string outcome, CancellationToken cancellationToken)
    {
        var result = await log.AppendAsync(change, cancellationToken);
        if (result.Update is { } update && state.IsHeldBy(change.LeaseOwner!, change.Attempt!.Value))
        {
            // A repeat is not counted again: the generation was no longer held.
            metrics.Ended(state, update.Status == GenerationStatus.Canceled ? "canceled" : outcome);
        }

        return result;
    }

    // A worker that sends the trace of its claim makes this request a part of it; otherwise the update belongs to the trace of the one before.
    private static StatusChange ChangeOf(WorkerAttempt attempt, AttemptState? state, GenerationStatus status) => new()
    {
        GenerationId = attempt.GenerationId,
        UserId = state?.UserId,
        Status = status,
        Attempt = attempt.Attempt,
        LeaseOwner = attempt.Owner,
        UpdateId = attempt.UpdateId,
        TraceParent = Activity.Current is { HasRemoteParent: true } activity ? activity.Id : state?.TraceParent ?? Activity.Current?.Id,
    };
}
