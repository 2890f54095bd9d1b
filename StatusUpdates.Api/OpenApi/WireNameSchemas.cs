using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.OpenApi;

/// <summary>Describes enums by their names on the wire.</summary>
internal sealed class WireNameSchemas : IOpenApiSchemaTransformer
{
    public Task TransformAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        if (NamesOf(type) is { } names)
        {
            schema.Type = JsonSchemaType.String;
            schema.Enum = [.. names.Select(name => (JsonNode)name)];
        }

        return Task.CompletedTask;
    }

    private static IReadOnlyList<string>? NamesOf(Type type)
    {
        if (type == typeof(GenerationStatus))
        {
            return GenerationStatusNames.All;
        }

        if (type == typeof(GenerationType))
        {
            return GenerationTypeNames.All;
        }

        return type == typeof(GenerationTask) ? GenerationTaskNames.All : null;
    }
}
