using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using StatusUpdates.Api.Json;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.OpenApi;

/// <summary>
/// Describes types as this API writes them. A member without a value is absent, never null, and one that always has a value is required. A status
/// has its names on the wire, times are strings, and a <see cref="JsonElement"/> is an object.
/// </summary>
internal sealed class WireSchemas : IOpenApiSchemaTransformer
{
    public async Task TransformAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        if (type == typeof(GenerationStatus))
        {
            schema.Type = JsonSchemaType.String;
            schema.Enum = [.. GenerationStatusNames.All.Select(name => (JsonNode)name)];
        }
        else if (type == typeof(EncodedUpdate))
        {
            // What its converter writes cannot be inferred from its type.
            var update = await context.GetOrCreateSchemaAsync(typeof(StatusUpdate), cancellationToken: cancellationToken);
            schema.Type = update.Type;
            schema.Properties = update.Properties;
            schema.Required = update.Required;
        }
        else if (type == typeof(DateTimeOffset))
        {
            schema.Type = JsonSchemaType.String;
        }
        else if (type == typeof(JsonElement))
        {
            schema.Type = JsonSchemaType.Object;
        }
        else if (context.JsonTypeInfo.Kind == JsonTypeInfoKind.Object && schema.Properties is { } properties)
        {
            schema.Required = context.JsonTypeInfo.Properties
                .Where(member => properties.ContainsKey(member.Name) && IsAlwaysPresent(member))
                .Select(member => member.Name)
                .ToHashSet(StringComparer.Ordinal);
        }

        schema.Type &= ~JsonSchemaType.Null;
    }

    // Members of requests are nullable so that a missing one gets an error of this API; [Required] marks those that must be there.
    private static bool IsAlwaysPresent(JsonPropertyInfo member) =>
        member.AttributeProvider?.IsDefined(typeof(RequiredAttribute), inherit: true) == true
        || (member.PropertyType.IsValueType ? Nullable.GetUnderlyingType(member.PropertyType) is null : !member.IsGetNullable);
}
