using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Queries;
using StatusUpdates.Data.Generations;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary>The parameters of a list, and how they become a filter.</summary>
internal static class ListQuery
{
    public const string Status = "status";
    public const string Type = "type";
    public const string StartDate = "startDate";
    public const string EndDate = "endDate";
    public const string Limit = "limit";
    public const string Offset = "offset";
    public const string Cursor = "cursor";

    public const int DefaultLimit = 50;
    public const int MaxLimit = 100;
    public const int MaxOffset = 10_000;

    /// <summary>The filter, or null after saying what is wrong.</summary>
    public static GenerationFilter? Read(IQueryCollection values, string userId, FieldErrors errors)
    {
        var query = new QueryReader(values, errors);
        var filter = new GenerationFilter
        {
            UserId = userId,
            Status = query.Value<GenerationStatus>(Status, GenerationStatusNames.TryParse, AllowedOf(GenerationStatusNames.All)),
            Type = query.Value<GenerationType>(Type, GenerationTypeNames.TryParse, AllowedOf(GenerationTypeNames.All)),
            From = query.Value<IsoTime>(StartDate, IsoTime.TryParse, IsoTime.Expected)?.First,
            Before = query.Value<IsoTime>(EndDate, IsoTime.TryParse, IsoTime.Expected)?.After,
            Limit = query.Integer(Limit, 1, MaxLimit) ?? DefaultLimit,
            Offset = query.Integer(Offset, 0, MaxOffset) ?? 0,
            After = query.Reference<GenerationListCursor>(Cursor, ListCursors.TryDecode, "Must be a nextCursor of an earlier answer."),
        };
        if (values.ContainsKey(Cursor) && values.ContainsKey(Offset))
        {
            errors.Add(Cursor, "Cannot be combined with offset.");
        }

        return errors.IsEmpty ? filter : null;
    }

    private static string AllowedOf(IEnumerable<string> names) => $"Allowed are: {string.Join(", ", names)}.";
}
