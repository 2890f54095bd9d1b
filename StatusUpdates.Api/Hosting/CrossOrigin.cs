using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Net.Http.Headers;
using StatusUpdates.Api.Transports;

namespace StatusUpdates.Api.Hosting;

/// <summary>
/// Lets pages of the allowed origins (<see cref="ConnectionOptions.AllowedOrigins"/>) use whatever the API has, by the CORS protocol (WHATWG Fetch,
/// section 3.3). Credentials of a browser are not allowed: a token is a header, and nothing here goes by a cookie.
/// </summary>
internal static class CrossOrigin
{
    // Browsers keep a preflight's answer for two hours at most.
    private static readonly TimeSpan PreflightMaxAge = TimeSpan.FromHours(2);

    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head, HttpMethods.Post, HttpMethods.Patch, HttpMethods.Delete];

    // Beside those that need no leave.
    private static readonly string[] RequestHeaders =
    [
        HeaderNames.Authorization, HeaderNames.ContentType, "Idempotency-Key", "Last-Event-ID", HeaderNames.IfNoneMatch, HeaderNames.Range, HeaderNames.IfRange,
        HeaderNames.TraceParent, HeaderNames.TraceState,
    ];

    // Beside those that a page may read anyway. All that answers carry for clients.
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

    /// <summary>Order: before whatever can refuse a request, so that a page can read the refusal; a preflight, which bears no token, is answered here.</summary>
    public static void UseCrossOrigin(this WebApplication app)
    {
        if (app.Services.GetRequiredService<OriginPolicy>().Allowed.Count > 0)
        {
            app.Use((context, next) =>
            {
                // Also of an answer to no page at all: a cache would give it to one.
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
