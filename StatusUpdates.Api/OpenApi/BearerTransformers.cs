using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace StatusUpdates.Api.OpenApi;

/// <summary>Sets the document's title and description, and declares the security scheme.</summary>
internal sealed class BearerDocumentTransformer : IOpenApiDocumentTransformer
{
    public const string Scheme = "Bearer";

    public Task TransformAsync(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Info = new()
        {
            Title = "StatusUpdates",
            Version = context.DocumentName,
            Description = "Submit generations and follow their status. Every success is {\"success\":true,\"data\":…}; every failure is a problem (RFC 9457).",
        };
        document.AddComponent(Scheme, new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            BearerFormat = "JWT",
            Description = "The user is the token's sub claim.",
        });
        return Task.CompletedTask;
    }
}

/// <summary>Marks the operations that require a token.</summary>
internal sealed class BearerOperationTransformer : IOpenApiOperationTransformer
{
    public Task TransformAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        if (metadata.OfType<IAuthorizeData>().Any() && !metadata.OfType<IAllowAnonymous>().Any())
        {
            operation.Security =
            [
                new() { [new OpenApiSecuritySchemeReference(BearerDocumentTransformer.Scheme, context.Document)] = [] },
            ];
        }

        return Task.CompletedTask;
    }
}
