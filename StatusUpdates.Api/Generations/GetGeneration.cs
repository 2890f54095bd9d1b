using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Generations;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary><c>GET /api/v1/generations/{id}</c>.</summary>
internal static class GetGeneration
{
    public static async Task<Results<Ok<Success<GenerationView>>, ProblemResult>> HandleAsync(
        string id, ClaimsPrincipal user, GenerationQueries queries, CancellationToken cancellationToken) =>
        GenerationIds.IsWellFormed(id) && await queries.FindAsync(user.GetUserId(), id, cancellationToken) is { } generation
            ? TypedResults.Ok(new Success<GenerationView>(generation.ToView()))
            : GenerationIds.NotFound();
}
