using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;
using StatusUpdates.Api.Security.QueryCredentials;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports.EventStreams;

/// <summary>
/// <c>/api/v1/status/stream</c>, and a stream of one generation to its end. Requests are refused before the stream begins, as a problem with its
/// status; transient refusals are sent as <see cref="EventStreamRefusal"/> describes if the client accepts an event stream.
/// </summary>
internal static class EventStreamEndpoints
{
    public static void MapEventStreams(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/v1/status/stream", FollowUserAsync)
            .WithName("StreamStatus")
            .WithTags("Status")
            .WithSummary("Follows the caller's updates as server-sent events")
            .WithDescription("Every id is the position to resume from: Last-Event-ID takes precedence over lastEventId, and lastEventId over since. "
                + "If Accept names text/event-stream, a transient refusal (429, 5xx) is a stream of one event, unavailable.")
            .DescribesParameters(FeedParameters.Since, FeedParameters.GenerationId, FeedParameters.LastEventId, FeedParameters.LastEventIdHeader)
            .IsEventStream();
        routes.MapGet(GenerationEndpoints.Path + "/{id}/stream", FollowGenerationAsync)
            .WithName("StreamGeneration")
            .WithTags("Generations")
            .WithSummary("Follows one generation to its end as server-sent events")
            .WithDescription(
                "Begins with the generation's first update. A reconnect after its end gets 204, which makes an EventSource stop, or 410 if it uses lastEventId.")
            .DescribesParameters(FeedParameters.GenerationSince, FeedParameters.LastEventId, FeedParameters.LastEventIdHeader)
            .Produces(StatusCodes.Status204NoContent)
            .ProducesProblems(StatusCodes.Status404NotFound, StatusCodes.Status410Gone)
            .IsEventStream();
    }

    private static void IsEventStream(this RouteHandlerBuilder builder) => builder
        .Produces(StatusCodes.Status200OK, contentType: EventStreamResponse.ContentType)
        .AcceptsQueryCredentials()
        .WithMetadata(new EventStreamRefusal())
        .ServesFeed();

    private static async Task<IResult> FollowUserAsync(HttpContext http, ConnectionLifecycle lifecycle, ConnectionContext connections)
    {
        var query = new QueryReader(http.Request);
        var since = query.ReadResumePosition();
        var generationId = query.Read(FeedParameters.GenerationId);
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        var token = http.User.GetAccessToken();
        return await lifecycle.ServeAsync(
            http,
            new(token.UserId, since, generationId, connections.Options.WriteBytes),
            (cursor, runAsync) => runAsync(new EventStreamConnection(http, EventStreamResponse.Begin(http), cursor, token, connections)));
    }

    private static async Task<IResult> FollowGenerationAsync(
        string id, HttpContext http, StatusLog log, ConnectionLifecycle lifecycle, ConnectionContext connections)
    {
        var query = new QueryReader(http.Request);
        var since = query.ReadResumePosition();
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        if (!GenerationIds.IsWellFormed(id))
        {
            return GenerationIds.NotFound();
        }

        var token = http.User.GetAccessToken();
        var generation = ActivatorUtilities.CreateInstance<FollowedGeneration>(http.RequestServices, token.UserId, id);
        if (since is { } position)
        {
            if (await generation.ReadStateAsync(http.RequestAborted) is not { } state)
            {
                return GenerationIds.NotFound();
            }

            if (state.Status.IsTerminal() && position.Seq >= state.Position)
            {
                // event-source-polyfill reads every response's body, fails on one without a body, and retries forever. It does understand a 410.
                var isPolyfill = query.Has(FeedParameters.LastEventId) && !query.Has(FeedParameters.LastEventIdHeader);
                return isPolyfill
                    ? new ProblemResult(ProblemCodes.StreamEnded, "The generation has ended, and the client has its last update: nothing follows.")
                    : TypedResults.NoContent();
            }
        }
        else if (await log.ReadHistoryAsync(token.UserId, id, default, 1, http.RequestAborted) is not { } history)
        {
            return GenerationIds.NotFound();
        }
        else if (history.Items is [{ Seq: { } first }, ..])
        {
            since = new LogPosition(first - 1);
        }

        // Without a position the log has none of its updates any more: it begins with the current state.
        return await lifecycle.ServeAsync(
            http,
            new(token.UserId, since, id, connections.Options.WriteBytes),
            async (cursor, runAsync) => since is null && !await generation.StartWithStateAsync(http.RequestAborted)
                ? GenerationIds.NotFound()
                : await runAsync(new EventStreamConnection(http, EventStreamResponse.Begin(http), cursor, token, connections, generation)));
    }
}
