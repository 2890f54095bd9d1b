using System.Security.Cryptography;
using Microsoft.AspNetCore.Http.HttpResults;
using Scalar.AspNetCore;

namespace StatusUpdates.Api.OpenApi;

/// <summary>The OpenAPI document at <c>/openapi/v1.json</c>, and <c>/scalar</c> to read the API and try it.</summary>
internal static class ApiDescription
{
    public const string Name = "v1";

    private const int NonceBytes = 16;

    public static void AddApiDescription(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<DescriptionDocument>();
        builder.Services.AddOpenApi(Name, options =>
        {
            options.AddDocumentTransformer<BearerDocumentTransformer>();
            options.AddOperationTransformer<BearerOperationTransformer>();
            options.AddSchemaTransformer<WireSchemas>();
        });
    }

    public static void MapApiDescription(this WebApplication app)
    {
        app.MapMethods($"/openapi/{Name}.json", [HttpMethods.Get, HttpMethods.Head], GetAsync)
            .AllowAnonymous()
            .ExcludeFromDescription();
        app.MapScalarApiReference("/scalar", Configure).AllowAnonymous();
    }

    private static Task<FileContentHttpResult> GetAsync(HttpResponse response, DescriptionDocument description)
    {
        // As for the page's files: cached, but revalidated by ETag each time, so that it is never of an older version.
        response.Headers.CacheControl = "public, no-cache";
        return description.GetAsync();
    }

    // A user who tries the API here enters a token in the page: the page may send data to this host only.
    private static void Configure(ScalarOptions options, HttpContext context)
    {
        // Digits and letters, which are the same in a header and in HTML.
        var nonce = RandomNumberGenerator.GetHexString(2 * NonceBytes, lowercase: true);
        options.WithTitle("StatusUpdates")
            .WithNonce(nonce)
            .DisableDefaultFonts()
            .DisableTelemetry()
            .DisableAgent()
            .DisableMcp()
            .AddPreferredSecuritySchemes(BearerDocumentTransformer.Scheme);

        // Scalar's script adds style elements to the page, which a nonce does not cover.
        context.Response.Headers.ContentSecurityPolicy =
            $"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
            + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    }
}
