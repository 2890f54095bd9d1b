using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using StatusUpdates.Api.Transports.LongPolling;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.OpenApi;

/// <summary>Describes an encoded update as what it is.</summary>
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
