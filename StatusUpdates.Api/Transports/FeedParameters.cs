using Microsoft.OpenApi;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Queries;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports;

/// <summary>The parameters that the transports share.</summary>
internal static class FeedParameters
{
    /// <summary>The client's last position.</summary>
    public static Parameter<LogPosition?> Since { get; } = Parameters.Position(
        "since", "The client's last cursor, such as 42-9f3ab2c1; a bare seq is accepted too, but not checked. By default the feed starts at the head of the log.");

    /// <summary>The same for a stream of one generation, which starts elsewhere without it.</summary>
    public static Parameter<LogPosition?> GenerationSince { get; } = Parameters.Position(
        "since", "The client's last cursor. By default the stream starts with the generation's first update.");

    /// <summary>The only generation whose updates are wanted.</summary>
    public static Parameter<string?> GenerationId { get; } =
        Parameters.Text("generationId", "Only this generation's updates.", GenerationIds.IsWellFormed, "Must be a generation id.");

    // From event-source-polyfill, for which a header would need a preflight.
    public static Parameter<LogPosition?> LastEventId { get; } = Parameters.Position(
        "lastEventId", "The id of the client's last event, as event-source-polyfill sends it. Takes precedence over since.");

    public static Parameter<LogPosition?> LastEventIdHeader { get; } = Parameters.Position(
        "Last-Event-ID", "The id of the client's last event, as an EventSource sends it. Takes precedence over the parameters.", ParameterLocation.Header);

    /// <summary>
    /// The position from which an event stream continues. All three sources are parsed, so that an invalid one is reported even if another takes
    /// precedence.
    /// </summary>
    public static LogPosition? ReadResumePosition(this QueryReader query)
    {
        var header = query.Read(LastEventIdHeader);
        var last = query.Read(LastEventId);
        var since = query.Read(Since);
        return header ?? last ?? since;
    }
}
