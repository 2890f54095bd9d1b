using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Json;

namespace StatusUpdates.Api.Workers;

/// <summary><c>POST /api/v1/worker/generations/{id}/</c><c>update</c>, <c>complete</c>, <c>fail</c> and <c>release</c>.</summary>
internal static class EndAttempt
{
    public static async Task<Results<Ok<Success<OutcomeView>>, ProblemResult>> UpdateAsync(
        string id, UpdateBody body, ClaimsPrincipal user, AttemptOutcomes outcomes, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var attempt = WorkerReader.Read(id, "update", body, user, errors);
        var progress = WorkerReader.Read("progress", body.Progress, 0, 100, null, errors);
        if (!errors.IsEmpty || attempt is null)
        {
            return ProblemResult.Invalid(errors);
        }

        return GenerationIds.IsWellFormed(id) ? (await outcomes.UpdateAsync(attempt, progress, cancellationToken)).Answer() : GenerationIds.NotFound();
    }

    public static async Task<Results<Ok<Success<OutcomeView>>, ProblemResult>> CompleteAsync(
        string id, CompleteBody body, ClaimsPrincipal user, AttemptOutcomes outcomes, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var attempt = WorkerReader.Read(id, "complete", body, user, errors);
        var urls = WorkerReader.ReadResultUrls(body.ResultUrls, errors);
        if (body.TokensUsed < 0)
        {
            errors.Add("tokensUsed", "Must be an integer from 0.");
        }

        if (!errors.IsEmpty || attempt is null)
        {
            return ProblemResult.Invalid(errors);
        }

        if (!GenerationIds.IsWellFormed(id))
        {
            return GenerationIds.NotFound();
        }

        var (result, isTooLate) = await outcomes.CompleteAsync(attempt, urls, body.TokensUsed, cancellationToken);
        return isTooLate && result.IsCommitted ? WorkerProblems.DeadlinePassed() : result.Answer();
    }

    public static async Task<Results<Ok<Success<OutcomeView>>, ProblemResult>> FailAsync(
        string id, FailBody body, ClaimsPrincipal user, AttemptOutcomes outcomes, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var attempt = WorkerReader.Read(id, "fail", body, user, errors);
        var retryAfter = WorkerReader.Read("retryAfterSeconds", body.RetryAfterSeconds, 0, WorkerReader.MaxRetryAfter, 0, errors);
        if (!errors.IsEmpty || attempt is null)
        {
            return ProblemResult.Invalid(errors);
        }

        return GenerationIds.IsWellFormed(id)
            ? (await outcomes.FailAsync(attempt, body.Message, body.Retryable is true, TimeSpan.FromSeconds(retryAfter), cancellationToken)).Answer()
            : GenerationIds.NotFound();
    }

    public static async Task<Results<Ok<Success<OutcomeView>>, ProblemResult>> ReleaseAsync(
        string id, ReleaseBody body, ClaimsPrincipal user, AttemptOutcomes outcomes, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var attempt = WorkerReader.Read(id, "release", body, user, errors);
        var retryAfter = WorkerReader.Read("retryAfterSeconds", body.RetryAfterSeconds, 0, WorkerReader.MaxReleaseDelay, 0, errors);
        if (!errors.IsEmpty || attempt is null)
        {
            return ProblemResult.Invalid(errors);
        }

        return GenerationIds.IsWellFormed(id)
            ? (await outcomes.ReleaseAsync(attempt, TimeSpan.FromSeconds(retryAfter), cancellationToken)).Answer()
            : GenerationIds.NotFound();
    }
}
