using System.Net.Mime;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Data.Results;

namespace StatusUpdates.Api.Results;

/// <summary>
/// <c>GET /results/{id}</c>: what the built-in processors rendered. Open to who knows the id, which is 128 random bits, so that an address
/// can be passed on and opened in a browser.
/// </summary>
internal static class ResultEndpoints
{
    private const int IdLength = 32;

    // Content that a provider made is shown, never run, and is in no origin's name.
    private const string ContentSecurityPolicy = "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'";

    public static void MapResults(this WebApplication app) => app.MapMethods("/results/{id}", [HttpMethods.Get, HttpMethods.Head], HandleAsync)
        .AllowAnonymous()
        .WithTags("Results")
        .WithSummary("Gets a rendered result")
        .Produces(StatusCodes.Status200OK, contentType: MediaTypeNames.Application.Octet)
        .Produces(StatusCodes.Status304NotModified)
        .ProducesProblems(StatusCodes.Status404NotFound, StatusCodes.Status429TooManyRequests, StatusCodes.Status503ServiceUnavailable)
        .WithRequestTimeout(HttpDefaults.PlainRequest);

    private static async Task<Results<FileContentHttpResult, ProblemResult>> HandleAsync(
        string id, HttpResponse response, GenerationResultStore results, CancellationToken cancellationToken)
    {
        if (id.Length != IdLength || !id.All(char.IsAsciiHexDigitLower) || await results.FindAsync(id, cancellationToken) is not { } result)
        {
            return ProblemResult.NotFound("There is no such result.");
        }

        response.Headers.ContentSecurityPolicy = ContentSecurityPolicy;
        response.Headers.CacheControl = "public, max-age=31536000, immutable";
        return TypedResults.File(
            result.Bytes, result.ContentType, enableRangeProcessing: true, entityTag: new EntityTagHeaderValue($"\"{id}\""));
    }
}
