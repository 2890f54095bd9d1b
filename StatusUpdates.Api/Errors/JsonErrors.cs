using System.Text.Json;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Errors;

/// <summary>Describes errors in a JSON body without the serializer's messages, which name types of this program.</summary>
internal static class JsonErrors
{
    /// <summary>The field name for the body as a whole.</summary>
    public const string Body = "body";

    private const int MaxPathLength = 200;

    // Order: the type names of a list and of an object contain those of their elements.
    private static readonly (string Type, string Message)[] Kinds =
    [
        ("IReadOnlyList", "Must be a list."),
        ("IReadOnlyDictionary", "Must be an object."),
        ("System.Boolean", "Must be true or false."),
        ("System.Int32", "Must be an integer."),
        ("System.Int64", "Must be an integer."),
        ("System.Guid", "Must be a UUID, such as 0190f6c2-5b1e-7e04-8c3d-1f00a9f3ab2c."),
    ];

    public static ProblemResult Describe(JsonException exception) => ProblemResult.Invalid(FieldOf(exception.Path), Message(exception));

    // "$.options.size" -> "options.size"; "$" and "" -> "body".
    private static string FieldOf(string? path)
    {
        var field = path?.TrimStart('$').TrimStart('.') ?? "";
        return field.Length == 0 ? Body : field[..Math.Min(field.Length, MaxPathLength)];
    }

    private static string Message(JsonException exception)
    {
        if (exception is UnacceptableValueException)
        {
            return exception.Message;
        }

        if (exception.InnerException is JsonException)
        {
            // The reader's own exception, which the serializer wraps: the text is not JSON.
            return $"Not valid JSON, or nested too deeply, at line {exception.LineNumber + 1}, byte {exception.BytePositionInLine}.";
        }

        if (exception.Path is null or "$")
        {
            return "Must be a JSON object.";
        }

        // The serializer's message names the type it expected, and nothing else tells which it was. Other members that are not strings have a converter
        // with its own message; see above.
        return Kinds.FirstOrDefault(kind => exception.Message.Contains(kind.Type, StringComparison.Ordinal)).Message
            ?? "Must be a string of valid Unicode, without lone surrogates, given once.";
    }
}
