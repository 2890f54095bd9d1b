using Microsoft.OpenApi;

namespace StatusUpdates.Api.Queries;

/// <summary>An optional parameter, in the query or a header, that the framework does not read.</summary>
/// <param name="name">Its name on the wire.</param>
/// <param name="description">What it means, for the OpenAPI document.</param>
/// <param name="schema">Its values, for the OpenAPI document.</param>
/// <param name="location">Whether it is in the query or a header.</param>
internal class Parameter(string name, string description, Func<OpenApiSchema> schema, ParameterLocation location = ParameterLocation.Query)
{
    public string Name => name;

    public bool IsHeader => location == ParameterLocation.Header;

    public OpenApiParameter Describe() => new() { Name = name, In = location, Description = description, Schema = schema() };
}

/// <summary>A parameter that handlers read by a <see cref="QueryReader"/>.</summary>
/// <param name="name">Its name on the wire.</param>
/// <param name="description">What it means, for the OpenAPI document.</param>
/// <param name="schema">Its values, for the OpenAPI document.</param>
/// <param name="parse">Reads its text, which is not empty.</param>
/// <param name="expected">The error for a text that is not accepted.</param>
/// <param name="absent">The value of an absent parameter.</param>
/// <param name="location">Whether it is in the query or a header.</param>
internal sealed class Parameter<T>(
    string name,
    string description,
    Func<OpenApiSchema> schema,
    ParameterParser<T> parse,
    string expected,
    T absent = default!,
    ParameterLocation location = ParameterLocation.Query) : Parameter(name, description, schema, location)
{
    public ParameterParser<T> Parse => parse;

    public string Expected => expected;

    public T Absent => absent;
}

/// <summary>Reads a parameter's text.</summary>
/// <returns>Whether the text is accepted.</returns>
internal delegate bool ParameterParser<T>(string text, out T value);
