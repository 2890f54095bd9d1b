using Scalar.AspNetCore;

namespace StatusUpdates.Api.OpenApi;

/// <summary>The API's description: <c>/openapi/v1.json</c>, and <c>/scalar</c> to read and try it.</summary>
internal static class ApiDescription
{
    private const string Name = "v1";

    public static void AddApiDescription(this IHostApplicationBuilder builder) => builder.Services.AddOpenApi(Name, options =>
    {
        options.AddDocumentTransformer<BearerDocumentTransformer>();
        options.AddOperationTransformer<BearerOperationTransformer>();
        options.AddSchemaTransformer<WireNameSchemas>();
        options.AddSchemaTransformer<EncodedUpdateSchema>();
        options.AddSchemaTransformer<PresentMemberSchemas>();
    });

    public static void MapApiDescription(this WebApplication app)
    {
        app.MapOpenApi().AllowAnonymous();
        app.MapScalarApiReference("/scalar", options => options
                .WithTitle("StatusUpdates")
                .DisableDefaultFonts()
                .AddPreferredSecuritySchemes(BearerDocumentTransformer.Scheme))
            .AllowAnonymous();
    }
}
