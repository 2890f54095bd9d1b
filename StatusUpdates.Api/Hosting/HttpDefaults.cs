using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;

namespace StatusUpdates.Api.Hosting;

/// <summary>Request limits, JSON rules and response headers of all endpoints.</summary>
internal static class HttpDefaults
{
    /// <summary>The maximum request body, in bytes. Submissions are the largest requests.</summary>
    public const int MaxBodyBytes = 64 * 1024;

    /// <summary>The time-out policy of plain requests, which do not stream; see <see cref="RequestOptions.Timeout"/>.</summary>
    public const string PlainRequest = "plain-request";

    private const int MaxJsonDepth = 32;

    // The minimum for the browsers' preload list (hstspreload.org).
    private static readonly TimeSpan HstsMaxAge = TimeSpan.FromDays(365);

    public static void AddHttpDefaults(this WebApplicationBuilder builder)
    {
        builder.Services.Configure<KestrelServerOptions>(options =>
        {
            options.AddServerHeader = false;
            options.Limits.MaxRequestBodySize = MaxBodyBytes;

            // A token may be in a header, or in the query of the request line.
            options.Limits.MaxRequestLineSize = 8 * 1024;
            options.Limits.MaxRequestHeadersTotalSize = 16 * 1024;
            options.Limits.MaxRequestHeaderCount = 64;
            options.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        });

        builder.Services.ConfigureHttpJsonOptions(options =>
        {
            options.SerializerOptions.MaxDepth = MaxJsonDepth;
            options.SerializerOptions.AllowDuplicateProperties = false;
            options.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
            options.SerializerOptions.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
            options.SerializerOptions.Converters.Add(new TimestampConverter());
        });

        builder.Services.Configure<StaticFileOptions>(options => options.OnPrepareResponse = file =>
        {
            var headers = file.Context.Response.Headers;

            // Scripts must all be of one version: a browser caches them but revalidates each by its ETag.
            headers.CacheControl = "no-cache";

            // No other page may frame this one and trick users into clicking its buttons. A meta element cannot set this
            // (https://www.w3.org/TR/CSP3/#meta-element); the rest of the page's policy is in index.html.
            headers.ContentSecurityPolicy = "frame-ancestors 'none'";
        });

        builder.Services.AddHsts(options => options.MaxAge = HstsMaxAge);

        // Sections of earlier versions: a key there is an error at start, not silently ignored.
        builder.Services.AddRetiredSections("DevToken", "Tickets", "Requests", "Gateway:WebSocket");
        builder.Services.AddRequestTimeouts();
        builder.Services.AddOptions<RequestTimeoutOptions>().Configure<IOptions<RequestOptions>>((timeouts, options) =>
            timeouts.AddPolicy(PlainRequest, new RequestTimeoutPolicy
            {
                Timeout = options.Value.Timeout,
                TimeoutStatusCode = StatusCodes.Status503ServiceUnavailable,
                WriteTimeoutResponse = context => DatabaseFailures.Problem.ExecuteAsync(context),
            }));
    }

    /// <summary>Headers of every response. Order: after the proxies, which set whether a request came over HTTPS.</summary>
    public static void UseResponseHeaders(this WebApplication app)
    {
        if (!app.Environment.IsDevelopment())
        {
            // RFC 6797: a browser that has connected over HTTPS uses nothing else afterwards.
            app.UseHsts();
        }

        app.Use(AddHeaders);
    }

    /// <summary>A group of endpoints for plain requests (see <see cref="PlainRequest"/>) that need a token.</summary>
    public static RouteGroupBuilder MapPlainGroup(this WebApplication app, string path, string tag)
    {
        var group = app.MapGroup(path)
            .RequireAuthorization()
            .WithTags(tag)
            .ProducesProblems(StatusCodes.Status401Unauthorized, StatusCodes.Status429TooManyRequests, StatusCodes.Status503ServiceUnavailable);
        group.WithRequestTimeout(PlainRequest);
        return group;
    }

    private static Task AddHeaders(HttpContext context, RequestDelegate next)
    {
        // On starting: headers that are set earlier are lost when an exception replaces the response.
        context.Response.OnStarting(ForbidSniffing, context.Response.Headers);
        if (context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase))
        {
            // Responses belong to one user: no cache may store them.
            context.Response.Headers.CacheControl = "no-store";
        }

        return next(context);
    }

    private static Task ForbidSniffing(object headers)
    {
        ((IHeaderDictionary)headers).XContentTypeOptions = "nosniff";
        return Task.CompletedTask;
    }
}
