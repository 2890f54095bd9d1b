using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using StatusUpdates.Api.Queries;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Json;

/// <summary>
/// Reads a time in a request: as in RFC 3339, so always with an offset (no time zone is guessed), but seconds may be missing and the fraction may
/// follow a comma. Truncated to milliseconds, as in responses.
/// </summary>
internal sealed partial class OffsetTimeConverter : JsonConverter<DateTimeOffset>
{
    private const string Expected = "Must be a time in ISO 8601 with an offset, such as 2024-01-31T12:00:00Z.";

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
        && reader.GetString() is { } text
        && Pattern().IsMatch(text)
        && IsoTime.TryParse(text.ToUpperInvariant(), out var time)
            ? time.First
            : throw new UnacceptableValueException(Expected);

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        throw new NotSupportedException("This converter only reads requests.");

    // Checks only the form; the parser checks the ranges. The parser alone would also accept a date, or a time without an offset.
    [GeneratedRegex(
        @"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
