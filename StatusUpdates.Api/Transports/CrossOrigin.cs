using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Net.Http.Headers;

namespace StatusUpdates.Api.Transports;

/// <summary>
/// Lets pages of the allowed origins (<see cref="ConnectionOptions.AllowedOrigins"/>) use the whole API, by the CORS protocol (WHATWG Fetch,
/// section 3.3). Browser credentials are not allowed: the token is a header, and cookies are not used.
/// </summary>
internal static class CrossOrigin
{
    // Browsers cache a preflight response for at most two hours.
    private static readonly TimeSpan PreflightMaxAge = TimeSpan.FromHours(2);

    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head, HttpMethods.Post, HttpMethods.Patch, HttpMethods.Delete];

    // In addition to the headers that are always allowed.
    private static readonly string[] RequestHeaders =
    [
        HeaderNames.Authorization, HeaderNames.ContentType, "Idempotency-Key", "Last-Event-ID", HeaderNames.IfNoneMatch, HeaderNames.Range, HeaderNames.IfRange,
        HeaderNames.TraceParent, HeaderNames.TraceState,
    ];

    // In addition to those that a page can always read: all headers that responses have for clients.
    private static readonly string[] ResponseHeaders =
    [
        HeaderNames.Location, HeaderNames.Link, HeaderNames.ETag, HeaderNames.RetryAfter, "RateLimit", "RateLimit-Policy", HeaderNames.WWWAuthenticate,
        HeaderNames.Allow, HeaderNames.AcceptRanges, HeaderNames.ContentRange,
    ];

    public static void AddCrossOrigin(this WebApplicationBuilder builder)
    {
        builder.Services.AddCors();
        builder.Services.AddOptions<CorsOptions>().Configure<OriginPolicy>((cors, origins) => cors.AddDefaultPolicy(policy => policy
            .WithOrigins([.. origins.Allowed])
            .WithMethods(Methods)
            .WithHeaders(RequestHeaders)
            .WithExposedHeaders(ResponseHeaders)
            .SetPreflightMaxAge(PreflightMaxAge)));
    }

    /// <summary>Order: before anything that can refuse a request, so that pages can read the refusal. Preflights, which have no token, end here.</summary>
    public static void UseCrossOrigin(this WebApplication app)
    {
        if (app.Services.GetRequiredService<OriginPolicy>().Allowed.Count > 0)
        {
            app.Use((context, next) =>
            {
                // Also for requests without an Origin: a cache could serve their response to a page.
                context.Response.OnStarting(VaryByOrigin, context.Response.Headers);
                return next(context);
            });
        }

        app.UseCors();
    }

    private static Task VaryByOrigin(object state)
    {
        var headers = (IHeaderDictionary)state;
        if (!headers.Vary.Contains(HeaderNames.Origin, StringComparer.OrdinalIgnoreCase))
        {
            headers.Append(HeaderNames.Vary, HeaderNames.Origin);
        }

        return Task.CompletedTask;
    }
}
