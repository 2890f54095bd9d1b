using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace StatusUpdates.Api.Transports.EventStreams;

/// <summary>The response to a request for server-sent events.</summary>
internal static class EventStreamResponse
{
    public const string ContentType = "text/event-stream";

    /// <summary>Sets the headers of an event stream.</summary>
    public static void Prepare(HttpResponse response)
    {
        response.ContentType = ContentType;

        // Proxies must neither store events nor buffer them.
        response.Headers.CacheControl = "no-store, no-transform";
        response.Headers["X-Accel-Buffering"] = "no";
    }

    /// <summary>Begins an event stream.</summary>
    /// <returns>The stream to write to: every write goes out at once.</returns>
    public static Stream Begin(HttpContext context)
    {
        Prepare(context.Response);
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();

        // The send time-out applies instead: a peer may be slow, or pause for a while.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }

        return context.Response.Body;
    }
}
