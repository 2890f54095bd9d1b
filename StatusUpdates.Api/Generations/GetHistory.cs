using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary><c>GET /api/v1/generations/{id}/history</c>.</summary>
internal static class GetHistory
{
    private static readonly Parameter<LogPosition?> Since =
        Parameters.Position("since", "Only updates after this cursor or seq. With a cursor of another log, from the beginning.");

    private static readonly Parameter<int> Limit = Parameters.Integer("limit", "The maximum number of updates.", 1, 1_000, absent: 100);

    public static Parameter[] Query { get; } = [Since, Limit];

    public static async Task<Results<Ok<Success<HistoryPage>>, ProblemResult>> HandleAsync(
        string id, HttpRequest http, ClaimsPrincipal user, StatusLog log, CancellationToken cancellationToken)
    {
        var query = new QueryReader(http);
        var since = query.Read(Since) ?? default;
        var limit = query.Read(Limit);
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        if (!GenerationIds.IsWellFormed(id)
            || await log.ReadHistoryAsync(user.GetUserId(), id, since, limit, cancellationToken) is not { } history)
        {
            return GenerationIds.NotFound();
        }

        return TypedResults.Ok(new Success<HistoryPage>(new([.. history.Items.Select(update => update.ForClients())], history.IsComplete)));
    }
}
