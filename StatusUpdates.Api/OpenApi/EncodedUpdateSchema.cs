using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using StatusUpdates.Api.Json;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.OpenApi;

/// <summary>Gives an encoded update the schema of a <see cref="StatusUpdate"/>: what its converter writes cannot be inferred from its type.</summary>
internal sealed class EncodedUpdateSchema : IOpenApiSchemaTransformer
{
    public async Task TransformAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        if (context.JsonTypeInfo.Type == typeof(EncodedUpdate))
        {
            var update = await context.GetOrCreateSchemaAsync(typeof(StatusUpdate), cancellationToken: cancellationToken);
            schema.Type = update.Type;
            schema.Properties = update.Properties;
            schema.Required = update.Required;
        }
    }
}
