using System.Text.Json;

namespace StatusUpdates.Api.Errors;

/// <summary>Says what is wrong with a JSON body without the serializer's own words, which name types of this program.</summary>
internal static class JsonErrors
{
    /// <summary>The name of the body as a whole.</summary>
    public const string Body = "body";

    private const int MaxPathLength = 200;

    private static readonly (string Type, string Message)[] Kinds =
    [
        ("IReadOnlyList", "Must be a list."),
        ("System.Boolean", "Must be true or false."),
        ("System.Int32", "Must be an integer."),
        ("System.Int64", "Must be an integer."),
    ];

    public static FieldErrors Describe(JsonException exception) => FieldErrors.Of(FieldOf(exception.Path), Message(exception));

    // "$.options.size" -> "options.size"; "$" and "" -> "body".
    private static string FieldOf(string? path)
    {
        var field = path is null ? "" : path.TrimStart('$').TrimStart('.');
        return field.Length switch
        {
            0 => Body,
            > MaxPathLength => field[..MaxPathLength],
            _ => field,
        };
    }

    private static string Message(JsonException exception)
    {
        // Converters of wire names say which are allowed.
        if (exception.Message.StartsWith("Allowed are", StringComparison.Ordinal))
        {
            return exception.Message;
        }

        if (exception.InnerException is JsonException)
        {
            return $"Not valid JSON, or nested too deeply, at line {exception.LineNumber + 1}, byte {exception.BytePositionInLine}.";
        }

        if (exception.Path is null or "$")
        {
            return "Must be a JSON object.";
        }

        // The serializer says which type it wanted. What else is no text has a converter that says more; see above.
        return Kinds.FirstOrDefault(kind => exception.Message.Contains(kind.Type, StringComparison.Ordinal)).Message
            ?? "Must be a text of valid Unicode, without lone surrogates, and given once.";
    }
}
