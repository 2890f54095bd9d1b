using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports.EventStreams;

/// <summary>Answers with a stream of server-sent events that goes on until the token expires, the instance drains, or the client goes.</summary>
/// <param name="token">Whose stream.</param>
/// <param name="place">The connection's place; given back at the end.</param>
/// <param name="cursor">What is sent; disposed at the end.</param>
/// <param name="generation">The one generation that is followed to its end, if so.</param>
internal sealed class EventStreamResult(
    AccessToken token, ConnectionRegistry.Place place, FeedCursor cursor, FollowedGeneration? generation = null) : IResult
{
    public const string ContentType = "text/event-stream";

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        using (place)
        using (cursor)
        {
            var connections = httpContext.RequestServices.GetRequiredService<ConnectionContext>();
            Prepare(httpContext.Response);
            Unthrottle(httpContext);
            RequestDuration.LeaveOut(httpContext);
            connections.Metrics.Connected(EventStreamConnection.Transport);
            try
            {
                var connection = new EventStreamConnection(httpContext, cursor, token, connections, generation);
                place.Hold(connection);
                await connection.RunAsync();
            }
            finally
            {
                connections.Metrics.Disconnected(EventStreamConnection.Transport);
            }
        }
    }

    /// <summary>Says that a stream of events follows.</summary>
    public static void Prepare(HttpResponse response)
    {
        response.ContentType = ContentType;

        // What stands between may neither keep events nor gather them.
        response.Headers.CacheControl = "no-store, no-transform";
        response.Headers["X-Accel-Buffering"] = "no";
    }

    private static void Unthrottle(HttpContext context)
    {
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();

        // A peer that is slow, or stops for a while, is judged by the send time-out instead.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }
    }
}
