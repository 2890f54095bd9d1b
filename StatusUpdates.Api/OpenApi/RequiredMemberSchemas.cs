using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace StatusUpdates.Api.OpenApi;

/// <summary>
/// Describes objects as this API writes them: a member without a value is absent, never null, and one that always has a value is required.
/// Times are strings, and a <see cref="JsonElement"/> is an object.
/// </summary>
internal sealed class RequiredMemberSchemas : IOpenApiSchemaTransformer
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
                .Where(member => properties.ContainsKey(member.Name) && IsAlwaysPresent(member))
                .Select(member => member.Name)
                .ToHashSet(StringComparer.Ordinal);
        }

        schema.Type &= ~JsonSchemaType.Null;
        return Task.CompletedTask;
    }

    // Members of requests are nullable so that a missing one gets an error of this API; [Required] marks those that must be there.
    private static bool IsAlwaysPresent(JsonPropertyInfo member) =>
        member.AttributeProvider?.IsDefined(typeof(RequiredAttribute), inherit: true) == true
        || (member.PropertyType.IsValueType ? Nullable.GetUnderlyingType(member.PropertyType) is null : !member.IsGetNullable);
}
