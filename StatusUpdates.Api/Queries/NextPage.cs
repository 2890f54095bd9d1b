using System.Globalization;
using Microsoft.AspNetCore.Http.Extensions;

namespace StatusUpdates.Api.Queries;

/// <summary>The next page of a list: the same filters, and a cursor.</summary>
internal static class NextPage
{
    public const string Limit = "limit";
    public const string Cursor = "cursor";

    /// <summary>Adds the header <c>Link</c> (RFC 8288). A relative reference is allowed, and works behind any proxy.</summary>
    public static void Link(HttpContext http, Parameter[] filters, int limit, string cursor)
    {
        var request = http.Request;
        var query = new QueryBuilder();
        foreach (var filter in filters)
        {
            if (request.Query.TryGetValue(filter.Name, out var value))
            {
                query.Add(filter.Name, value.ToString());
            }
        }

        query.Add(Limit, limit.ToString(CultureInfo.InvariantCulture));
        query.Add(Cursor, cursor);
        http.Response.Headers.Link = $"<{request.PathBase}{request.Path}{query}>; rel=\"next\"";
    }
}
