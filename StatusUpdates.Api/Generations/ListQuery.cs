using Microsoft.OpenApi;
using StatusUpdates.Api.Queries;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary>The query parameters of <see cref="ListGenerations"/>, and their conversion into a filter.</summary>
internal static class ListQuery
{
    private static readonly Parameter<GenerationStatus?> Status =
        Parameters.OneOf<GenerationStatus>("status", "Only generations with this status.", GenerationStatusNames.All, GenerationStatusNames.TryParse);

    private static readonly Parameter<string?> Type = new(
        "type",
        "Only generations of this type: the name of a registered one (see /api/v1/types), or of one that the caller has generations of.",
        () => new() { Type = JsonSchemaType.String, Pattern = GenerationNames.Pattern },
        (text, out value) => GenerationNames.IsValid(value = text),
        "Must be the name of a type.");

    private static readonly Parameter<IsoTime?> StartDate =
        Parameters.Time("startDate", "Only generations created at or after this time: ISO 8601, in UTC unless an offset is given.");

    private static readonly Parameter<IsoTime?> EndDate =
        Parameters.Time("endDate", "Only generations created at or before this time; a date without a time means that whole day.");

    private static readonly Parameter<int> Limit =
        Parameters.Integer(NextPage.Limit, "The maximum number of generations in the page.", 1, 100, absent: 50);

    private static readonly Parameter<int> Offset =
        Parameters.Integer("offset", "How many to skip. Cannot be combined with cursor.", 0, 10_000, absent: 0);

    private static readonly Parameter<GenerationListCursor?> Cursor = new(
        NextPage.Cursor, "The nextCursor of the previous page.", Parameters.AnyText, ListCursors.TryDecode, "Must be the nextCursor of an earlier response.");

    /// <summary>The parameters that select generations. The link to the next page repeats them.</summary>
    public static Parameter[] Filters { get; } = [Status, Type, StartDate, EndDate];

    public static Parameter[] All { get; } = [.. Filters, Limit, Offset, Cursor];

    /// <summary>Reads the filter. It must not be used if the reader has errors.</summary>
    public static async Task<GenerationFilter> ReadAsync(
        QueryReader query, string userId, GenerationTypes types, GenerationQueries queries, CancellationToken cancellationToken)
    {
        var filter = new GenerationFilter
        {
            UserId = userId,
            Status = query.Read(Status),
            Type = query.Read(Type),
            From = query.Read(StartDate)?.First,
            Before = query.Read(EndDate)?.After,
            Limit = query.Read(Limit),
            Offset = query.Read(Offset),
            After = query.Read(Cursor),
        };
        if (query.Has(Cursor) && query.Has(Offset))
        {
            query.Errors.Add(Cursor.Name, "Cannot be combined with offset.");
        }

        // A type that is not registered any more is still that of earlier generations.
        if (filter.Type is { } type && types.Find(type) is null && !await queries.HasTypeAsync(userId, type, cancellationToken))
        {
            query.Errors.Add(Type.Name, $"Allowed are: {string.Join(", ", types.Names)}.");
        }

        return filter;
    }
}
