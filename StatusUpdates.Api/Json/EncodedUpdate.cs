using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Api.Json;

/// <summary>An update that was encoded once for all connections of its user.</summary>
/// <param name="Json">UTF-8 JSON of a <c>StatusUpdate</c>.</param>
[JsonConverter(typeof(EncodedUpdateConverter))]
internal readonly record struct EncodedUpdate(ReadOnlyMemory<byte> Json);

/// <summary>Writes the JSON of an <see cref="EncodedUpdate"/> unchanged.</summary>
internal sealed class EncodedUpdateConverter : JsonConverter<EncodedUpdate>
{
    public override EncodedUpdate Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("Responses are only written.");

    public override void Write(Utf8JsonWriter writer, EncodedUpdate value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value.Json.Span, skipInputValidation: true); // written by this program's own serializer
}
