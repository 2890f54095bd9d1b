using Microsoft.OpenApi;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;
using StatusUpdates.Api.Security.Bearer;
using StatusUpdates.Api.Security.QueryCredentials;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary><c>/ws/status</c>: all refusals happen before the upgrade, as a problem with its status.</summary>
internal static class WebSocketEndpoint
{
    private static readonly Parameter<bool> Batch = new(
        "batch",
        "Whether several updates that are due may come as one message.",
        () => new() { Type = JsonSchemaType.Boolean, Default = false },
        (text, out value) => (value = text is "true") || text is "false",
        "Must be true or false.");

    public static void MapWebSocket(this IEndpointRouteBuilder routes) =>
        routes.MapMethods("/ws/status", [HttpMethods.Get, HttpMethods.Connect], HandleAsync)
            .ExcludeFromDescription()
            .AcceptsQueryCredentials()
            .ServesFeed();

    private static async Task<IResult> HandleAsync(
        HttpContext http, OriginPolicy origins, ConnectionLifecycle lifecycle, ConnectionContext connections, AccessTokenValidator tokens)
    {
        if (WebSocketHandshake.Check(http) is { } refused)
        {
            return refused;
        }

        if (!origins.IsAllowed(http.Request))
        {
            return new ProblemResult(ProblemCodes.ForeignOrigin, "Pages of this origin may not connect.");
        }

        var query = new QueryReader(http.Request);
        var since = query.Read(FeedParameters.Since);
        var generationId = query.Read(FeedParameters.GenerationId);
        var batches = query.Read(Batch);
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        var token = http.User.GetAccessToken();
        return await lifecycle.ServeAsync(
            http,
            new(token.UserId, since, generationId, connections.Options.WriteBytes),
            async (cursor, runAsync) => await runAsync(
                new WebSocketConnection(http, await WebSocketHandshake.AcceptAsync(http), cursor, token, batches, connections, tokens)));
    }
}
