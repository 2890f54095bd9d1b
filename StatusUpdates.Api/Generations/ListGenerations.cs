using System.Globalization;
using System.Security.Claims;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Generations;

namespace StatusUpdates.Api.Generations;

/// <summary><c>GET /api/v1/generations</c>.</summary>
internal static class ListGenerations
{
    // What a next page keeps of the query; limit and cursor it has of its own.
    private static readonly string[] Filters = [ListQuery.Status, ListQuery.Type, ListQuery.StartDate, ListQuery.EndDate];

    public static async Task<Results<Ok<Success<GenerationPage>>, ProblemResult>> HandleAsync(
        HttpContext http, ClaimsPrincipal user, GenerationQueries queries, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        if (ListQuery.Read(http.Request.Query, user.GetUserId(), errors) is not { } filter)
        {
            return ProblemResult.Invalid(errors);
        }

        var list = await queries.ListAsync(filter, cancellationToken);
        string? next = null;
        if (list.Next is { } cursor)
        {
            next = ListCursors.Encode(cursor);
            http.Response.Headers.Link = $"<{NextPage(http.Request, filter.Limit, next)}>; rel=\"next\"";
        }

        return TypedResults.Ok(new Success<GenerationPage>(
            new([.. list.Items.Select(GenerationView.Of)], list.Total, list.IsMore ? true : null, filter.Limit, filter.Offset, next)));
    }

    // RFC 8288 takes a relative reference, which holds behind any proxy.
    private static string NextPage(HttpRequest request, int limit, string cursor)
    {
        var query = new QueryBuilder();
        foreach (var name in Filters)
        {
            if (request.Query.TryGetValue(name, out var value))
            {
                query.Add(name, value.ToString());
            }
        }

        query.Add(ListQuery.Limit, limit.ToString(CultureInfo.InvariantCulture));
        query.Add(ListQuery.Cursor, cursor);
        return $"{request.PathBase}{request.Path}{query}";
    }
}
