using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using StatusUpdates.Api.OpenApi;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Transports;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary>How the API's description shows the parameters that handlers read by themselves.</summary>
internal static class GenerationParameters
{
    public static ParameterDescription[] IdempotencyKey { get; } =
    [
        new(
            SubmitRequestReader.IdempotencyKeyHeader,
            "The client's name for this submission: 1 to 255 printable ASCII characters.",
            () => new() { Type = JsonSchemaType.String, MinLength = 1, MaxLength = 255 },
            ParameterLocation.Header),
    ];

    public static ParameterDescription[] List { get; } =
    [
        new(ListQuery.Status, "Only generations of this status.", () => OneOf(GenerationStatusNames.All)),
        new(ListQuery.Type, "Only generations of this type.", () => OneOf(GenerationTypeNames.All)),
        new(ListQuery.StartDate, "Only those created at or after this time: ISO 8601, UTC unless an offset is given.", Time),
        new(ListQuery.EndDate, "Only those created at or before this time; a bare date means that whole day.", Time),
        new(ListQuery.Limit, "How many.", () => Number(1, ListQuery.MaxLimit, ListQuery.DefaultLimit)),
        new(ListQuery.Offset, "How many to skip. Not together with cursor.", () => Number(0, ListQuery.MaxOffset, 0)),
        new(ListQuery.Cursor, "The nextCursor of the page before.", () => new() { Type = JsonSchemaType.String }),
    ];

    public static ParameterDescription[] History { get; } =
    [
        new("since", "Only updates after this cursor, or seq. A cursor of another log is taken for the beginning.", FeedParameters.Position),
        new("limit", "How many.", () => Number(1, GetHistory.MaxLimit, GetHistory.DefaultLimit)),
    ];

    private static OpenApiSchema OneOf(IEnumerable<string> names) =>
        new() { Type = JsonSchemaType.String, Enum = [.. names.Select(name => (JsonNode)name)] };

    // Not of format date-time (RFC 3339): that one has no bare dates and no times without an offset.
    private static OpenApiSchema Time() => new() { Type = JsonSchemaType.String };

    private static OpenApiSchema Number(long minimum, long maximum, long standard) => new()
    {
        Type = JsonSchemaType.Integer,
        Minimum = minimum.ToString(CultureInfo.InvariantCulture),
        Maximum = maximum.ToString(CultureInfo.InvariantCulture),
        Default = standard,
    };
}
