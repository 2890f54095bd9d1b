using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;

namespace StatusUpdates.Api.Hosting;

/// <summary>Bounds of what a client may send, and JSON rules, for all slices.</summary>
internal static class HttpDefaults
{
    /// <summary>The largest request body, in bytes. A submit is the largest request there is.</summary>
    public const int MaxBodyBytes = 64 * 1024;

    /// <summary>The time-out policy of requests that are answered at once, by <see cref="RequestOptions.Timeout"/>.</summary>
    public const string PlainRequest = "plain-request";

    private const int MaxJsonDepth = 32;

    // What browsers ask of those whom they know beforehand (hstspreload.org).
    private static readonly TimeSpan HstsMaxAge = TimeSpan.FromDays(365);

    public static void AddHttpDefaults(this WebApplicationBuilder builder)
    {
        builder.Services.Configure<KestrelServerOptions>(options =>
        {
            options.AddServerHeader = false;
            options.Limits.MaxRequestBodySize = MaxBodyBytes;

            // A token may be carried in a header, or in the request line's query.
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

            // Scripts of one version belong together: a browser keeps them, but asks by ETag each time whether they still are the ones.
            headers.CacheControl = "no-cache";

            // Nobody else's page may show this one in a frame and have its buttons clicked. A page cannot say so of itself
            // (https://www.w3.org/TR/CSP3/#meta-element); the rest of its policy stands in index.html.
            headers.ContentSecurityPolicy = "frame-ancestors 'none'";
        });

        builder.Services.AddHsts(options => options.MaxAge = HstsMaxAge);
        builder.Services.AddSectionOptions<RequestOptions, RequestOptionsValidator>(RequestOptions.SectionName);
        builder.Services.AddRequestTimeouts();
        builder.Services.AddOptions<RequestTimeoutOptions>().Configure<IOptions<RequestOptions>>((timeouts, options) =>
            timeouts.AddPolicy(PlainRequest, new RequestTimeoutPolicy
            {
                Timeout = options.Value.Timeout,
                TimeoutStatusCode = StatusCodes.Status503ServiceUnavailable,
                WriteTimeoutResponse = context => DatabaseFailures.Answer(context).ExecuteAsync(context),
            }));
    }

    /// <summary>Headers of every answer. Order: after the proxies, which say whether a request came by https.</summary>
    public static void UseAnswerHeaders(this WebApplication app)
    {
        if (!app.Environment.IsDevelopment())
        {
            // RFC 6797: a browser that was here by https comes by nothing else.
            app.UseHsts();
        }

        app.Use(AddHeaders);
    }

    private static Task AddHeaders(HttpContext context, RequestDelegate next)
    {
        // When the answer starts: what is set before is lost where an exception is what is answered.
        context.Response.OnStarting(ForbidSniffing, context.Response.Headers);
        if (context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase))
        {
            // Answers are one user's: no cache may keep them.
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
