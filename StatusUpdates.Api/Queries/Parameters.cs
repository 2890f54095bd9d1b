using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Queries;

/// <summary>The kinds of parameters.</summary>
internal static class Parameters
{
    /// <summary>An integer within the bounds: only digits, with a sign if the bounds allow it.</summary>
    public static Parameter<int> Integer(string name, string description, int min, int max, int absent) => new(
        name,
        description,
        () => new()
        {
            Type = JsonSchemaType.Integer,
            Minimum = min.ToString(CultureInfo.InvariantCulture),
            Maximum = max.ToString(CultureInfo.InvariantCulture),
            Default = absent,
        },
        (text, out value) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) && value >= min && value <= max,
        $"Must be an integer from {min} to {max}.",
        absent);

    /// <summary>A position in a log, with or without its check.</summary>
    public static Parameter<LogPosition?> Position(string name, string description, ParameterLocation location = ParameterLocation.Query) => new(
        name,
        description,
        () => new() { Type = JsonSchemaType.String, Pattern = "^[0-9]{1,16}(-[0-9a-f]{8})?$" },
        OrNull<LogPosition>((text, out position) => LogPosition.TryParse(text, out position)),
        $"Must be a cursor, such as 42-9f3ab2c1, or an integer from 0 to {LogPosition.MaxSeq}.",
        In: location);

    /// <summary>A time. Not the format date-time (RFC 3339), which allows neither bare dates nor times without an offset.</summary>
    public static Parameter<IsoTime?> Time(string name, string description) =>
        new(name, description, AnyText, OrNull<IsoTime>(IsoTime.TryParse), IsoTime.Expected);

    /// <summary>One of a few names, parsed into what it stands for.</summary>
    public static Parameter<T?> OneOf<T>(string name, string description, IReadOnlyList<string> names, ParameterParser<T> parse)
        where T : struct => new(name, description, () => Names(names), OrNull(parse), Allowed(names));

    /// <summary>One of a few names.</summary>
    public static Parameter<string?> OneOf(string name, string description, IReadOnlyList<string> names) =>
        new(name, description, () => Names(names), (text, out value) => names.Contains(value = text, StringComparer.Ordinal), Allowed(names));

    /// <summary>A text that a rule accepts.</summary>
    public static Parameter<string?> Text(string name, string description, Func<string, bool> isAccepted, string expected) =>
        new(name, description, AnyText, (text, out value) => isAccepted(value = text), expected);

    public static OpenApiSchema AnyText() => new() { Type = JsonSchemaType.String };

    /// <summary>Adds the parameters to the endpoint's OpenAPI description.</summary>
    public static RouteHandlerBuilder DescribesParameters(this RouteHandlerBuilder builder, params Parameter[] parameters) =>
        builder.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            operation.Parameters ??= [];
            foreach (var parameter in parameters)
            {
                operation.Parameters.Add(parameter.Describe());
            }

            return Task.CompletedTask;
        });

    private static OpenApiSchema Names(IReadOnlyList<string> names) =>
        new() { Type = JsonSchemaType.String, Enum = [.. names.Select(name => (JsonNode)name)] };

    private static string Allowed(IReadOnlyList<string> names) => $"Allowed are: {string.Join(", ", names)}.";

    private static ParameterParser<T?> OrNull<T>(ParameterParser<T> parse)
        where T : struct => (text, out value) =>
    {
        value = parse(text, out var parsed) ? parsed : null;
        return value is not null;
    };
}
