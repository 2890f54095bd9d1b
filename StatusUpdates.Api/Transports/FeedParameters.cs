using Microsoft.OpenApi;
using StatusUpdates.Api.OpenApi;

namespace StatusUpdates.Api.Transports;

/// <summary>How the API's description shows the parameters of feeds.</summary>
internal static class FeedParameters
{
    public static ParameterDescription Since { get; } =
        new(FeedQuery.Since, "The last cursor that the client has, such as 42-9f3ab2c1; a bare seq is taken as well, and is not checked. Without it, from the head of the log.", Position);

    public static ParameterDescription GenerationId { get; } =
        new("generationId", "Only this generation's updates.", () => new() { Type = JsonSchemaType.String });

    public static ParameterDescription GenerationSince { get; } =
        new(FeedQuery.Since, "The last cursor that the client has. Without it, from the generation's first update.", Position);

    public static ParameterDescription LastEventId { get; } =
        new(FeedQuery.LastEventId, "The id of the last event that the client has, as event-source-polyfill sends it. Wins over since.", Position);

    public static ParameterDescription LastEventIdHeader { get; } =
        new(FeedQuery.LastEventIdHeader, "The id of the last event that the client has, as an EventSource sends it. Wins over the parameters.", Position, ParameterLocation.Header);

    public static OpenApiSchema Position() => new() { Type = JsonSchemaType.String, Pattern = "^[0-9]{1,16}(-[0-9a-f]{8})?$" };
}
