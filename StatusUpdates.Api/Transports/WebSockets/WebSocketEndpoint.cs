using System.Globalization;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;
using StatusUpdates.Api.Security.QueryCredentials;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary><c>/ws/status</c>: everything that can be refused is refused before the upgrade, as a problem with its status.</summary>
internal static class WebSocketEndpoint
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

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
        var since = query.Seq("since");
        var generationId = query.Reference<string>("generationId", TryParseId, "Must be a generation's id.");
        var batch = query.Value<bool>("batch", TryParseFlag, "Must be true or false.");
        if (!query.Errors.IsEmpty)
        {
            await ProblemResult.Invalid(query.Errors).ExecuteAsync(context);
            return;
        }

        var token = context.User.GetAccessToken();
        var refusal = services.GetRequiredService<ConnectionRegistry>().TryAdmit(token.UserId, out var place);
        if (refusal != AdmissionRefusal.None)
        {
            await Describe(context, refusal).ExecuteAsync(context);
            return;
        }

        using (place)
        {
            await ServeAsync(context, services, token, place!, new(since, generationId, batch ?? false));
        }
    }

    private static async Task ServeAsync(
        HttpContext context, IServiceProvider services, AccessToken token, ConnectionRegistry.Place place, Choices choices)
    {
        var sockets = services.GetRequiredService<WebSocketContext>();
        var request = new FeedRequest(token.UserId, choices.Since, choices.GenerationId, sockets.Options.WriteBytes);

        // Opened before the upgrade: a database that is away is a 503, not a socket that says nothing.
        using var cursor = await services.GetRequiredService<FeedHub>().OpenAsync(request, context.RequestAborted);
        var stream = await WebSocketHandshake.AcceptAsync(context);
        sockets.Metrics.Connected(WebSocketContext.Transport);
        try
        {
            var clock = TokenClock.Of(token, BearerOptionsSetup.ClockSkew, sockets.Time.GetUtcNow());
            var connection = new WebSocketConnection(context, stream, cursor, token.UserId, clock, choices.Batch, sockets);
            var running = connection.RunAsync();
            place.Hold(connection);
            await running;
        }
        finally
        {
            sockets.Metrics.Disconnected(WebSocketContext.Transport);
        }
    }

    private static ProblemResult Describe(HttpContext context, AdmissionRefusal refusal)
    {
        context.Response.Headers.RetryAfter = ((int)RetryAfter.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        return refusal switch
        {
            AdmissionRefusal.Draining => new(
                StatusCodes.Status503ServiceUnavailable, ProblemCodes.Draining, "This instance is about to stop; connect again."),
            AdmissionRefusal.TooManyConnectionsOfUser => new(
                StatusCodes.Status429TooManyRequests, ProblemCodes.TooManyConnections, "You have too many connections open."),
            _ => new(
                StatusCodes.Status429TooManyRequests, ProblemCodes.TooManyConnections, "This instance has too many connections open."),
        };
    }

    private static bool TryParseFlag(string text, out bool value)
    {
        value = text is "true";
        return value || text is "false";
    }

    private static bool TryParseId(string text, out string? id)
    {
        id = GenerationIds.IsPossible(text) ? text : null;
        return id is not null;
    }

    private sealed record Choices(long? Since, string? GenerationId, bool Batch);
}
