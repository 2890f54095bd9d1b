using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Log;

namespace StatusUpdates.Api.Generations;

/// <summary><c>GET /api/v1/generations/{id}/history</c>.</summary>
internal static class GetHistory
{
    public const int DefaultLimit = 100;
    public const int MaxLimit = 1_000;

    public static async Task<Results<Ok<Success<HistoryPage>>, ProblemResult>> HandleAsync(
        string id, HttpRequest http, ClaimsPrincipal user, StatusLog log, CancellationToken cancellationToken)
    {
        var query = new QueryReader(http.Query);
        var since = query.Position("since") ?? default;
        var limit = query.Integer("limit", 1, MaxLimit) ?? DefaultLimit;
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        if (!GenerationIds.IsPossible(id)
            || await log.ReadHistoryAsync(user.GetUserId(), id, since, limit, cancellationToken) is not { } history)
        {
            return GenerationIds.NotFound();
        }

        // A trace's identity is ours, not the clients'.
        var items = history.Items.Select(update => update with { TraceParent = null, After = null }).ToArray();
        return TypedResults.Ok(new Success<HistoryPage>(new(items, history.IsComplete)));
    }
}
