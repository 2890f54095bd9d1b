using System.Globalization;
using Microsoft.OpenApi;
using StatusUpdates.Api.OpenApi;
using StatusUpdates.Api.Queries;

namespace StatusUpdates.Api.Transports;

/// <summary>How the API's description shows the parameters of feeds.</summary>
internal static class FeedParameters
{
    public static ParameterDescription Since { get; } =
        new(FeedQuery.Since, "The last seq that the client has; without it, from the head of the log.", Position);

    public static ParameterDescription GenerationId { get; } =
        new("generationId", "Only this generation's updates.", () => new() { Type = JsonSchemaType.String });

    public static ParameterDescription LastEventId { get; } =
        new(FeedQuery.LastEventId, "The id of the last event that the client has.", Position, ParameterLocation.Header);

    private static OpenApiSchema Position() => new()
    {
        Type = JsonSchemaType.Integer,
        Minimum = "0",
        Maximum = QueryReader.MaxSeq.ToString(CultureInfo.InvariantCulture),
    };
}
