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
        if (!GenerationIds.IsWellFormed(id))
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
            // Without this hint the worker would find the request at its next heartbeat, up to a third of a lease later.
            await publisher.TryPublishCancelRequestAsync(id);
        }

        // Order: read after announcing, so that a client that has disconnected by now has still canceled the generation.
        if (result.Outcome == CancelOutcome.NotFound || await queries.FindAsync(user.GetUserId(), id, cancellationToken) is not { } generation)
        {
            return GenerationIds.NotFound();
        }

        var view = new Success<GenerationView>(generation.ToView());
        return result.Outcome switch
        {
            CancelOutcome.Canceled or CancelOutcome.AlreadyCanceled => TypedResults.Ok(view),
            CancelOutcome.Requested => TypedResults.Accepted($"{http.PathBase}{GenerationEndpoints.Path}/{id}", view),
            CancelOutcome.Terminal => new ProblemResult(
                ProblemCodes.GenerationTerminal, $"The generation is already {generation.Status.ToWireName()}."),
            _ => GenerationIds.NotFound(),
        };
    }
}
