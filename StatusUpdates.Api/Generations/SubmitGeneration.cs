using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary><c>POST /api/v1/generations</c>.</summary>
internal static class SubmitGeneration
{
    public static async Task<Results<Accepted<Success<GenerationView>>, ProblemResult>> HandleAsync(
        SubmitRequest request,
        HttpRequest http,
        ClaimsPrincipal user,
        GenerationTypes types,
        GenerationCommands commands,
        StatusPublisher publisher,
        IOptions<SubmissionOptions> options,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var submission = SubmitRequestReader.Read(
            request, http.Headers[SubmitRequestReader.IdempotencyKey.Name], user.GetUserId(), types, time, errors);
        if (submission is null)
        {
            return ProblemResult.Invalid(errors);
        }

        SubmitResult result;
        try
        {
            result = await commands.SubmitAsync(submission, new(options.Value.MaxPending, options.Value.MaxStored), cancellationToken);
        }
        catch (QuotaReachedException e)
        {
            return e.IsOfPending ? TooManyPending(options.Value.MaxPending) : TooManyStored(options.Value.MaxStored);
        }
        catch (DeadlinePassedException)
        {
            return ProblemResult.Invalid("deadline", SubmitRequestReader.DeadlineError);
        }

        if (result.Outcome == SubmitOutcome.KeyReused)
        {
            return new ProblemResult(
                ProblemCodes.IdempotencyKeyReused,
                $"This {SubmitRequestReader.IdempotencyKey.Name} was already used for a different request, which created {result.Generation.Id}.");
        }

        if (result.Update is { } update)
        {
            await publisher.TryPublishAsync([update]);
        }

        return TypedResults.Accepted(
            $"{http.PathBase}{GenerationEndpoints.Path}/{result.Generation.Id}", new Success<GenerationView>(result.Generation.ToView()));
    }

    private static ProblemResult TooManyPending(long limit) => new(
        ProblemCodes.PendingLimit, $"A user may have {limit} pending generations at once. Submit again when some have ended, or cancel some.")
    {
        RetryAfter = TimeSpan.FromSeconds(10),
    };

    private static ProblemResult TooManyStored(long limit) => new(
        ProblemCodes.StoredLimit, $"A user may have {limit} generations stored. Old ones are deleted some time after they end; submit again then.");
}
