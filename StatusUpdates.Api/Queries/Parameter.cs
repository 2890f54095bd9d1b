using Microsoft.OpenApi;

namespace StatusUpdates.Api.Queries;

/// <summary>An optional parameter, in the query or a header, that the framework does not read.</summary>
/// <param name="Name">Its name on the wire.</param>
/// <param name="Description">What it means, for the OpenAPI document.</param>
/// <param name="Schema">Its values, for the OpenAPI document.</param>
/// <param name="In">Whether it is in the query or a header.</param>
internal record Parameter(string Name, string Description, Func<OpenApiSchema> Schema, ParameterLocation In = ParameterLocation.Query)
{
    public OpenApiParameter Describe() => new() { Name = Name, In = In, Description = Description, Schema = Schema() };
}

/// <summary>A parameter that handlers read by a <see cref="QueryReader"/>.</summary>
/// <param name="Name">Its name on the wire.</param>
/// <param name="Description">What it means, for the OpenAPI document.</param>
/// <param name="Schema">Its values, for the OpenAPI document.</param>
/// <param name="Parse">Reads its text, which is not empty.</param>
/// <param name="Expected">The error for a text that is not accepted.</param>
/// <param name="Absent">The value of an absent parameter.</param>
/// <param name="In">Whether it is in the query or a header.</param>
internal sealed record Parameter<T>(
    string Name,
    string Description,
    Func<OpenApiSchema> Schema,
    ParameterParser<T> Parse,
    string Expected,
    T Absent = default!,
    ParameterLocation In = ParameterLocation.Query) : Parameter(Name, Description, Schema, In);

/// <summary>Reads a parameter's text.</summary>
/// <returns>Whether the text is accepted.</returns>
internal delegate bool ParameterParser<T>(string text, out T value);
