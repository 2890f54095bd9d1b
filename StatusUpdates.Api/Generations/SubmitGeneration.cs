using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Generations;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary><c>POST /api/v1/generations</c>.</summary>
internal static class SubmitGeneration
{
    public static async Task<Results<Accepted<Success<GenerationView>>, ProblemResult>> HandleAsync(
        SubmitRequest request,
        HttpRequest http,
        ClaimsPrincipal user,
        GenerationCommands commands,
        StatusPublisher publisher,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var submission = SubmitRequestReader.Read(
            request, http.Headers[SubmitRequestReader.IdempotencyKeyHeader], user.GetUserId(), time, errors);
        if (submission is null)
        {
            return ProblemResult.Invalid(errors);
        }

        SubmitResult result;
        try
        {
            result = await commands.SubmitAsync(submission, cancellationToken);
        }
        catch (DeadlinePassedException)
        {
            errors.Add("deadline", SubmitRequestReader.DeadlineError);
            return ProblemResult.Invalid(errors);
        }

        if (result.Outcome == SubmitOutcome.KeyReused)
        {
            return new ProblemResult(
                StatusCodes.Status422UnprocessableEntity,
                ProblemCodes.IdempotencyKeyReused,
                $"This {SubmitRequestReader.IdempotencyKeyHeader} was used for another request, which made {result.Generation.Id}.");
        }

        if (result.Update is { } update)
        {
            await publisher.TryPublishAsync([update]);
        }

        return TypedResults.Accepted(
            $"{http.PathBase}{GenerationEndpoints.Path}/{result.Generation.Id}", new Success<GenerationView>(GenerationView.Of(result.Generation)));
    }
}
