using System.Net.Mime;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.Net.Http.Headers;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Hosting;
using StatusUpdates.ResultStore;

namespace StatusUpdates.Api.Results;

/// <summary>
/// <c>GET /results/{id}</c>: what providers rendered. Accessible to anyone who knows the id, which is 128 random bits, so that a
/// URL can be shared and opened in a browser.
/// </summary>
internal static class ResultEndpoints
{
    private const int IdLength = 32;

    // Provider-made content is displayed but never executed, and belongs to no origin.
    private const string ContentSecurityPolicy = "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'";

    // Caches keep a result at most a day after retention has removed it. The content of an id never changes.
    private const string CacheControl = "public, max-age=86400, immutable";

    public static void AddResults(this IHostApplicationBuilder builder)
    {
        builder.AddResultStore(writes: true);
        builder.Services.AddSingleton<ResultLimiter>();
    }

    public static void MapResults(this WebApplication app) => app.MapMethods("/results/{id}", [HttpMethods.Get, HttpMethods.Head], HandleAsync)
        .AllowAnonymous()
        .WithTags("Results")
        .WithSummary("Gets a rendered result")
        .WithDescription(
            "Anyone who knows the id may read it. A request with one range (RFC 9110, section 14) is answered with that range, one with several with " +
            "the whole result.")
        .Produces(StatusCodes.Status200OK, contentType: MediaTypeNames.Application.Octet)
        .Produces(StatusCodes.Status206PartialContent, contentType: MediaTypeNames.Application.Octet)
        .Produces(StatusCodes.Status304NotModified)
        .ProducesProblems(
            StatusCodes.Status404NotFound,
            StatusCodes.Status416RangeNotSatisfiable,
            StatusCodes.Status429TooManyRequests,
            StatusCodes.Status503ServiceUnavailable)
        .WithRequestTimeout(HttpDefaults.PlainRequest);

    private static async Task<Results<FileStreamHttpResult, ProblemResult>> HandleAsync(
        string id, HttpContext context, GenerationResultStore results, ResultLimiter limiter)
    {
        var isGet = HttpMethods.IsGet(context.Request.Method);
        if (isGet && limiter.TryTake(context) is { } full)
        {
            return full;
        }

        // Must be ignored (RFC 9110, section 14.2): the framework takes ranges of any unit for bytes, and also those of HEAD.
        if (!isGet || !context.Request.Headers.Range.ToString().StartsWith("bytes=", StringComparison.OrdinalIgnoreCase))
        {
            context.Request.Headers.Range = default;
        }

        if (id.Length != IdLength || !id.All(char.IsAsciiHexDigitLower) || await results.DescribeAsync(id, context.RequestAborted) is not { } result)
        {
            return ProblemResult.NotFound("There is no such result.");
        }

        // From here on the client sets the pace, bounded by the server's minimum data rate. Each piece has the time-out of where it is read.
        context.Features.Get<IHttpRequestTimeoutFeature>()?.DisableTimeout();
        context.Response.Headers.ContentSecurityPolicy = ContentSecurityPolicy;
        context.Response.Headers.CacheControl = CacheControl;
        return TypedResults.Stream(
            results.OpenRead(result), result.ContentType, enableRangeProcessing: true, entityTag: new EntityTagHeaderValue($"\"{id}\""));
    }
}
