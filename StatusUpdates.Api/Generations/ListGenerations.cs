using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Types;

namespace StatusUpdates.Api.Generations;

/// <summary><c>GET /api/v1/generations</c>.</summary>
internal static class ListGenerations
{
    public static async Task<Results<Ok<Success<GenerationPage>>, ProblemResult>> HandleAsync(
        HttpContext http, ClaimsPrincipal user, GenerationTypes types, GenerationQueries queries, CancellationToken cancellationToken)
    {
        var query = new QueryReader(http.Request);
        var filter = await ListQuery.ReadAsync(query, user.GetUserId(), types, queries, cancellationToken);
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        var list = await queries.ListAsync(filter, cancellationToken);
        string? next = null;
        if (list.Next is { } cursor)
        {
            next = ListCursors.Encode(cursor);
            NextPage.Link(http, ListQuery.Filters, filter.Limit, next);
        }

        return TypedResults.Ok(new Success<GenerationPage>(
            new([.. list.Items.Select(generation => generation.ToView())], list.Total, list.IsMore ? true : null, filter.Limit, filter.Offset, next)));
    }
}
