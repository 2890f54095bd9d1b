using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Queries;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports;

/// <summary>The parameters that the transports share.</summary>
internal static class FeedQuery
{
    /// <summary>The last position that the client has.</summary>
    public const string Since = "since";

    /// <summary>The header by which an EventSource says the same; it wins.</summary>
    public const string LastEventIdHeader = "Last-Event-ID";

    /// <summary>The parameter by which event-source-polyfill says it: there a header would take a preflight. It wins over <see cref="Since"/>.</summary>
    public const string LastEventId = "lastEventId";

    /// <summary>
    /// The position that an event stream goes on from, by what its client said last. All three are read, so that a bad one is named also where
    /// it would not count.
    /// </summary>
    public static LogPosition? ResumePosition(this QueryReader query, HttpRequest request)
    {
        var header = query.HeaderPosition(LastEventIdHeader, request.Headers[LastEventIdHeader]);
        var last = query.Position(LastEventId);
        var since = query.Position(Since);
        return header ?? last ?? since;
    }

    /// <summary>Whether the position is told as event-source-polyfill alone tells it.</summary>
    public static bool IsOfPolyfill(this HttpRequest request) =>
        request.Query.ContainsKey(LastEventId) && !request.Headers.ContainsKey(LastEventIdHeader);

    /// <summary>The one generation whose updates are wanted.</summary>
    public static string? GenerationId(this QueryReader query) =>
        query.Reference<string>("generationId", TryParseId, "Must be a generation's id.");

    private static bool TryParseId(string text, out string? id)
    {
        id = GenerationIds.IsPossible(text) ? text : null;
        return id is not null;
    }
}
