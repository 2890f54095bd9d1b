using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.OpenApi;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;
using StatusUpdates.Api.Security.QueryCredentials;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports.EventStreams;

/// <summary>
/// <c>/api/v1/status/stream</c>, and the same for one generation to its end. What can be refused is refused before the stream begins, as
/// a problem with its status; what passes, to those who ask for an event stream, as <see cref="EventStreamRefusal"/> says.
/// </summary>
internal static class EventStreamEndpoints
{
    public static void MapEventStreams(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/v1/status/stream", FollowUserAsync)
            .WithName("StreamStatus")
            .WithTags("Status")
            .WithSummary("Follows the caller's updates as server-sent events")
            .WithDescription("Every id is the position to resume from: Last-Event-ID wins over lastEventId, and that over since. "
                + "A refusal that passes (429, 5xx) is a stream of one event, unavailable, where Accept names text/event-stream.")
            .DescribesParameters(FeedParameters.Since, FeedParameters.GenerationId, FeedParameters.LastEventId, FeedParameters.LastEventIdHeader)
            .IsEventStream();
        routes.MapGet(GenerationEndpoints.Path + "/{id}/stream", FollowGenerationAsync)
            .WithName("StreamGeneration")
            .WithTags("Generations")
            .WithSummary("Follows one generation to its end as server-sent events")
            .WithDescription(
                "Begins with its first update. A reconnect past its end is answered with 204, which tells an EventSource to stop, and one by lastEventId with 410.")
            .DescribesParameters(FeedParameters.GenerationSince, FeedParameters.LastEventId, FeedParameters.LastEventIdHeader)
            .Produces(StatusCodes.Status204NoContent)
            .ProducesProblems(StatusCodes.Status404NotFound, StatusCodes.Status410Gone)
            .IsEventStream();
    }

    private static void IsEventStream(this RouteHandlerBuilder builder) => builder
        .Produces(StatusCodes.Status200OK, contentType: EventStreamResult.ContentType)
        .ProducesProblems(
            StatusCodes.Status400BadRequest,
            StatusCodes.Status401Unauthorized,
            StatusCodes.Status429TooManyRequests,
            StatusCodes.Status503ServiceUnavailable)
        .DescribesParameters(QueryCredentialParameters.All)
        .RequireAuthorization()
        .AcceptsQueryCredentials()
        .WithMetadata(new EventStreamRefusal())
        .DisableRequestTimeout();

    private static async Task<Results<EventStreamResult, ProblemResult>> FollowUserAsync(HttpContext context, FeedHub hub, ConnectionContext connections)
    {
        var query = new QueryReader(context.Request.Query);
        var since = query.ResumePosition(context.Request);
        var generationId = query.GenerationId();
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        var token = context.User.GetAccessToken();
        if (ConnectionAdmission.TryAdmit(context, token.UserId, out var place) is { } full)
        {
            return full;
        }

        try
        {
            var request = new FeedRequest(token.UserId, since, generationId, connections.Options.WriteBytes);
            return new EventStreamResult(token, place!, await hub.OpenAsync(request, context.RequestAborted));
        }
        catch
        {
            place!.Dispose();
            throw;
        }
    }

    private static async Task<Results<EventStreamResult, NoContent, ProblemResult>> FollowGenerationAsync(
        string id, HttpContext context, StatusLog log)
    {
        var query = new QueryReader(context.Request.Query);
        var since = query.ResumePosition(context.Request);
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        if (!GenerationIds.IsPossible(id))
        {
            return GenerationIds.NotFound();
        }

        var token = context.User.GetAccessToken();
        var generation = ActivatorUtilities.CreateInstance<FollowedGeneration>(context.RequestServices, token.UserId, id);
        if (since is { } position)
        {
            if (await generation.ReadStateAsync(context.RequestAborted) is not { } state)
            {
                return GenerationIds.NotFound();
            }

            if (!state.Status.IsTerminal() || position.Seq < state.Position)
            {
                return await FollowAsync(context, token, generation, position);
            }

            // event-source-polyfill reads the body of every answer, trips over one that has none, and asks again for ever. A status it understands.
            return context.Request.IsOfPolyfill()
                ? new ProblemResult(StatusCodes.Status410Gone, ProblemCodes.StreamEnded, "The generation has ended, and its last update is known: nothing follows.")
                : TypedResults.NoContent();
        }

        // From its first update that the log still has; if there is none, from its present state.
        return await log.ReadHistoryAsync(token.UserId, id, default, 1, context.RequestAborted) is { } history
            ? await FollowAsync(context, token, generation, history.Items is [{ Seq: { } first }, ..] ? new LogPosition(first - 1) : null)
            : GenerationIds.NotFound();
    }

    private static async Task<Results<EventStreamResult, NoContent, ProblemResult>> FollowAsync(
        HttpContext context, AccessToken token, FollowedGeneration generation, LogPosition? since)
    {
        if (ConnectionAdmission.TryAdmit(context, token.UserId, out var place) is { } full)
        {
            return full;
        }

        FeedCursor? cursor = null;
        var services = context.RequestServices;
        try
        {
            var writeBytes = services.GetRequiredService<ConnectionContext>().Options.WriteBytes;
            cursor = await services.GetRequiredService<FeedHub>()
                .OpenAsync(new(token.UserId, since, generation.Id, writeBytes), context.RequestAborted);
            if (since is null && !await generation.StartWithStateAsync(context.RequestAborted))
            {
                cursor.Dispose();
                place!.Dispose();
                return GenerationIds.NotFound();
            }

            return new EventStreamResult(token, place!, cursor, generation);
        }
        catch
        {
            cursor?.Dispose();
            place!.Dispose();
            throw;
        }
    }
}
