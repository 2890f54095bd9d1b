using System.Text.Json;
using System.Text.Json.Serialization;
using StatusUpdates.Api.Json;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports.LongPolling;

/// <summary>What a poll brought.</summary>
/// <param name="Items">Updates, in order; none if nothing came in time.</param>
/// <param name="Seq">The position to poll from next.</param>
/// <param name="Cursor">The same position with its check: the since of the next poll.</param>
/// <param name="More">Whether the log is known to have more after <paramref name="Seq"/>.</param>
internal sealed record PollPage(IReadOnlyList<EncodedUpdate> Items, long Seq, string Cursor, bool More)
{
    public static PollPage Of(IReadOnlyList<EncodedUpdate> items, LogPosition position, bool more) =>
        new(items, position.Seq, position.ToString(), more);


    /// <summary>True if the log could not serve the position asked for: read the state by REST, then go on from <see cref="Seq"/>.</summary>
    public bool? Resync { get; init; }
}

/// <summary>An update as it was encoded once for all connections of its user.</summary>
/// <param name="Json">UTF-8 JSON of a <c>StatusUpdate</c>.</param>
[JsonConverter(typeof(EncodedUpdateConverter))]
internal readonly record struct EncodedUpdate(ReadOnlyMemory<byte> Json);

/// <summary>Writes <see cref="EncodedUpdate"/> as it is.</summary>
internal sealed class EncodedUpdateConverter : JsonConverter<EncodedUpdate>
{
    public override EncodedUpdate Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("Answers are only written.");

    public override void Write(Utf8JsonWriter writer, EncodedUpdate value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value.Json.Span, skipInputValidation: true);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Success<PollPage>))]
internal sealed partial class LongPollingJsonContext : JsonSerializerContext;
