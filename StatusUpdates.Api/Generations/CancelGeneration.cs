using System.Diagnostics;
using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Generations;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary><c>POST /api/v1/generations/{id}/cancel</c>.</summary>
internal static class CancelGeneration
{
    public static async Task<Results<Ok<Success<GenerationView>>, Accepted<Success<GenerationView>>, ProblemResult>> HandleAsync(
        string id,
        HttpRequest http,
        ClaimsPrincipal user,
        GenerationCommands commands,
        GenerationQueries queries,
        StatusPublisher publisher,
        CancellationToken cancellationToken)
    {
        if (!GenerationIds.IsPossible(id))
        {
            return GenerationIds.NotFound();
        }

        var result = await commands.CancelAsync(user.GetUserId(), id, Activity.Current?.Id, cancellationToken);
        if (result.Update is { } update)
        {
            await publisher.TryPublishAsync([update]);
        }

        if (result.Outcome == CancelOutcome.Requested)
        {
            // The worker's heartbeat would find the request too, up to a third of a lease later.
            await publisher.TryPublishCancelRequestAsync(id);
        }

        // Read when it is announced: whoever has hung up by now has canceled all the same.
        if (result.Outcome == CancelOutcome.NotFound || await queries.FindAsync(user.GetUserId(), id, cancellationToken) is not { } generation)
        {
            return GenerationIds.NotFound();
        }

        var view = new Success<GenerationView>(GenerationView.Of(generation));
        return result.Outcome switch
        {
            CancelOutcome.Canceled or CancelOutcome.AlreadyCanceled => TypedResults.Ok(view),
            CancelOutcome.Requested => TypedResults.Accepted($"{http.PathBase}{GenerationEndpoints.Path}/{id}", view),
            CancelOutcome.Terminal => new ProblemResult(
                StatusCodes.Status409Conflict,
                ProblemCodes.GenerationTerminal,
                $"The generation is {generation.Status.ToWireName()} and stays so."),
            _ => GenerationIds.NotFound(),
        };
    }
}
