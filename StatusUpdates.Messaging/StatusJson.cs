using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Messaging;

/// <summary>Source-generated JSON of the contract: camelCase, absent members omitted, enums by wire name.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StatusUpdate))]
[JsonSerializable(typeof(StatusMetadata))]
public sealed partial class StatusJsonContext : JsonSerializerContext;

/// <summary>Encodes and decodes <see cref="StatusUpdate"/>. Thread-safe.</summary>
public static class StatusJson
{
    /// <summary>The update as UTF-8 JSON.</summary>
    public static byte[] Encode(StatusUpdate update) =>
        JsonSerializer.SerializeToUtf8Bytes(update, StatusJsonContext.Default.StatusUpdate);

    /// <summary>Decodes a message from Redis. Never throws: anything may arrive there.</summary>
    /// <param name="utf8">UTF-8 JSON.</param>
    /// <param name="update">The update, if the result is true.</param>
    /// <param name="error">What is wrong, if the result is false; safe to log, because it contains nothing of the message.</param>
    public static bool TryDecode(
        ReadOnlySpan<byte> utf8,
        [NotNullWhen(true)] out StatusUpdate? update,
        [NotNullWhen(false)] out string? error)
    {
        try
        {
            update = JsonSerializer.Deserialize(utf8, StatusJsonContext.Default.StatusUpdate);
        }
        catch (JsonException e)
        {
            update = null;
            // Only the position: even member names are chosen by the sender.
            error = $"not a status update: line {e.LineNumber ?? 0}, byte {e.BytePositionInLine ?? 0}";
            return false;
        }

        if (update is null)
        {
            error = "null";
            return false;
        }

        error = update switch
        {
            { GenerationId: not { Length: > 0 } } => "generationId is empty",
            { UserId: not { Length: > 0 } } => "userId is empty",
            _ when !GenerationNames.IsValid(update.Type) => "type is not a name",
            { Seq: < 1 } => "seq is below 1",
            _ => null,
        };
        if (error is null)
        {
            return true;
        }

        update = null;
        return false;
    }
}
