using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Queries;

namespace StatusUpdates.Api.Transports;

/// <summary>The parameters that the transports share.</summary>
internal static class FeedQuery
{
    /// <summary>The last position that the client has.</summary>
    public const string Since = "since";

    /// <summary>The header by which an EventSource says the same; it wins.</summary>
    public const string LastEventId = "Last-Event-ID";

    /// <summary>The one generation whose updates are wanted.</summary>
    public static string? GenerationId(this QueryReader query) =>
        query.Reference<string>("generationId", TryParseId, "Must be a generation's id.");

    private static bool TryParseId(string text, out string? id)
    {
        id = GenerationIds.IsPossible(text) ? text : null;
        return id is not null;
    }
}
