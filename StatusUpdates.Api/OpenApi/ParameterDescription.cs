using Microsoft.OpenApi;

namespace StatusUpdates.Api.OpenApi;

/// <summary>An optional parameter that a handler reads by itself, so that the framework does not know of it.</summary>
internal sealed record ParameterDescription(
    string Name, string Description, Func<OpenApiSchema> Schema, ParameterLocation In = ParameterLocation.Query);

internal static class ParameterDescriptions
{
    /// <summary>Adds the parameters to the endpoint's description.</summary>
    public static RouteHandlerBuilder DescribesParameters(this RouteHandlerBuilder builder, params ParameterDescription[] parameters) =>
        builder.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            operation.Parameters ??= [];
            foreach (var parameter in parameters)
            {
                operation.Parameters.Add(new OpenApiParameter
                {
                    Name = parameter.Name,
                    In = parameter.In,
                    Description = parameter.Description,
                    Schema = parameter.Schema(),
                });
            }

            return Task.CompletedTask;
        });
}
