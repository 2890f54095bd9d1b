using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace StatusUpdates.Api.OpenApi;

/// <summary>
/// Describes objects as this API writes them: a member without a value is absent, never null, and one that always has a value is required.
/// Times are texts, and the one member of any shape is an object.
/// </summary>
internal sealed class PresentMemberSchemas : IOpenApiSchemaTransformer
{
    public Task TransformAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        if (type == typeof(DateTimeOffset))
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
                .Where(member => properties.ContainsKey(member.Name) && IsAlwaysThere(member))
                .Select(member => member.Name)
                .ToHashSet(StringComparer.Ordinal);
        }

        schema.Type &= ~JsonSchemaType.Null;
        return Task.CompletedTask;
    }

    private static bool IsAlwaysThere(JsonPropertyInfo member) =>
        member.AttributeProvider?.IsDefined(typeof(RequiredAttribute), inherit: true) == true
        || (member.PropertyType.IsValueType ? Nullable.GetUnderlyingType(member.PropertyType) is null : !member.IsGetNullable);
}
