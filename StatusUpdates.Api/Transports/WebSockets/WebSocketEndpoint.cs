using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;
using StatusUpdates.Api.Security.QueryCredentials;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary><c>/ws/status</c>: everything that can be refused is refused before the upgrade, as a problem with its status.</summary>
internal static class WebSocketEndpoint
{
    public static void MapWebSocket(this IEndpointRouteBuilder routes) =>
        routes.MapMethods("/ws/status", [HttpMethods.Get, HttpMethods.Connect], HandleAsync)
            .RequireAuthorization()
            .AcceptsQueryCredentials()
            .DisableRequestTimeout();

    private static async Task HandleAsync(HttpContext context)
    {
        var services = context.RequestServices;
        if (WebSocketHandshake.Check(context) is { } refused)
        {
            await refused.ExecuteAsync(context);
            return;
        }

        if (!services.GetRequiredService<OriginPolicy>().IsAllowed(context.Request))
        {
            await new ProblemResult(
                    StatusCodes.Status403Forbidden, ProblemCodes.ForeignOrigin, "Pages of this origin may not connect.")
                .ExecuteAsync(context);
            return;
        }

        var query = new QueryReader(context.Request.Query);
        var since = query.Position(FeedQuery.Since);
        var generationId = query.GenerationId();
        var batch = query.Value<bool>("batch", TryParseFlag, "Must be true or false.");
        if (!query.Errors.IsEmpty)
        {
            await ProblemResult.Invalid(query.Errors).ExecuteAsync(context);
            return;
        }

        var token = context.User.GetAccessToken();
        if (ConnectionAdmission.TryAdmit(context, token.UserId, out var place) is { } full)
        {
            await full.ExecuteAsync(context);
            return;
        }

        using (place)
        {
            await ServeAsync(context, token, place!, since, generationId, batch ?? false);
        }
    }

    private static async Task ServeAsync(
        HttpContext context, AccessToken token, ConnectionRegistry.Place place, LogPosition? since, string? generationId, bool batches)
    {
        var sockets = context.RequestServices.GetRequiredService<WebSocketContext>();
        var request = new FeedRequest(token.UserId, since, generationId, sockets.Connections.Options.WriteBytes);

        // Opened before the upgrade: a database that is away is a 503, not a socket that says nothing.
        using var cursor = await context.RequestServices.GetRequiredService<FeedHub>().OpenAsync(request, context.RequestAborted);
        var stream = await WebSocketHandshake.AcceptAsync(context);
        RequestDuration.LeaveOut(context);
        sockets.Connections.Metrics.Connected(WebSocketContext.Transport);
        try
        {
            var connection = new WebSocketConnection(context, stream, cursor, token, batches, sockets);
            place.Hold(connection);
            await connection.RunAsync();
        }
        finally
        {
            sockets.Connections.Metrics.Disconnected(WebSocketContext.Transport);
        }
    }

    private static bool TryParseFlag(string text, out bool value)
    {
        value = text is "true";
        return value || text is "false";
    }
}
