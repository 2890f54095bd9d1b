using System.Security.Cryptography;
using Microsoft.AspNetCore.Http.HttpResults;
using Scalar.AspNetCore;

namespace StatusUpdates.Api.OpenApi;

/// <summary>The API's description: <c>/openapi/v1.json</c>, and <c>/scalar</c> to read and try it.</summary>
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
            options.AddSchemaTransformer<WireNameSchemas>();
            options.AddSchemaTransformer<EncodedUpdateSchema>();
            options.AddSchemaTransformer<PresentMemberSchemas>();
        });
    }

    public static void MapApiDescription(this WebApplication app)
    {
        app.MapMethods($"/openapi/{Name}.json", [HttpMethods.Get, HttpMethods.Head], GetAsync)
            .AllowAnonymous()
            .ExcludeFromDescription();
        app.MapScalarApiReference("/scalar", Configure).AllowAnonymous();
    }

    private static async Task<FileContentHttpResult> GetAsync(HttpResponse response, DescriptionDocument description)
    {
        var encoded = await description.GetAsync();

        // As of the page's files: kept, but asked for by its tag each time, so that it is never an older version's.
        response.Headers.CacheControl = "public, no-cache";
        return TypedResults.Bytes(encoded.Bytes, "application/json; charset=utf-8", entityTag: encoded.Tag);
    }

    // Whoever tries the API here has a token in the page: nothing of it goes anywhere but to this host.
    private static void Configure(ScalarOptions options, HttpContext context)
    {
        var nonce = Convert.ToBase64String(RandomNumberGenerator.GetBytes(NonceBytes));
        options.WithTitle("StatusUpdates")
            .WithNonce(nonce)
            .DisableDefaultFonts()
            .DisableTelemetry()
            .DisableAgent()
            .DisableMcp()
            .AddPreferredSecuritySchemes(BearerDocumentTransformer.Scheme);

        // Its script makes its styles as elements of the page, which no nonce covers.
        context.Response.Headers.ContentSecurityPolicy =
            $"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
            + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    }
}
