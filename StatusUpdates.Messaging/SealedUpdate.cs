using System.Text.Json;

namespace StatusUpdates.Messaging;

/// <summary>
/// An update of a genuine message (<see cref="MessageSeal"/>): what a feed needs to know, and the JSON for clients as it stands in the message. For feeds
/// that pass on many updates, decoding all of each and encoding it again would be most of the work.
/// </summary>
public readonly record struct SealedUpdate
{
    /// <summary>The generation, <c>gen-…</c>.</summary>
    public required string GenerationId { get; init; }

    /// <summary>The status from this update on.</summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>When it happened, in Unix milliseconds.</summary>
    public required long Timestamp { get; init; }

    /// <summary>Its position in the user's log.</summary>
    public required LogPosition Position { get; init; }

    /// <summary>The position of the previous update.</summary>
    public required LogPosition After { get; init; }

    /// <summary>The trace it belongs to (W3C Trace Context, <c>traceparent</c>); null if none.</summary>
    public string? TraceParent { get; init; }

    /// <summary>
    /// The members that clients see, as UTF-8 JSON without the closing brace. A slice of the message: valid as long as that is.
    /// </summary>
    public required ReadOnlyMemory<byte> OpenJson { get; init; }

    /// <summary>
    /// Reads a genuine message as <see cref="StatusJson.Encode"/> writes it: no white space, and after the members for clients only those that are sent
    /// between services, of which <c>after</c> is the first.
    /// </summary>
    /// <param name="message">The message. Its tag must have been verified: values that nothing here needs are not checked again.</param>
    /// <param name="userId">The user whose channel it arrived on.</param>
    /// <param name="update">The update, if the result is true.</param>
    /// <returns>False if it has another form, or is of another user: decode it, which says what is wrong. Never throws.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> message, string userId, out SealedUpdate update)
    {
        try
        {
            return TryReadMembers(message, userId, out update);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON, or text that is not UTF-8.
            update = default;
            return false;
        }
    }

    private static bool TryReadMembers(ReadOnlyMemory<byte> message, string userId, out SealedUpdate update)
    {
        update = default;
        string? generationId = null, traceParent = null;
        GenerationStatus? status = null;
        long? timestamp = null, seq = null;
        LogPosition? position = null, after = null;
        var (isOfUser, hasType, end) = (false, false, 0);
        var reader = new Utf8JsonReader(message.Span);
        for (reader.Read(); reader.Read() && reader.TokenType == JsonTokenType.PropertyName;)
        {
            var isForClients = end == 0;
            if (isForClients && reader.ValueTextEquals("generationId"u8))
            {
                generationId = ReadString(ref reader);
            }
            else if (isForClients && reader.ValueTextEquals("userId"u8))
            {
                isOfUser = reader.Read() && reader.TokenType == JsonTokenType.String && reader.ValueTextEquals(userId);
            }
            else if (isForClients && reader.ValueTextEquals("type"u8))
            {
                hasType = ReadString(ref reader) is not null;
            }
            else if (isForClients && reader.ValueTextEquals("status"u8))
            {
                status = GenerationStatusNames.TryParse(ReadString(ref reader), out var value) ? value : null;
            }
            else if (isForClients && reader.ValueTextEquals("timestamp"u8))
            {
                timestamp = ReadNumber(ref reader);
            }
            else if (isForClients && reader.ValueTextEquals("seq"u8))
            {
                seq = ReadNumber(ref reader);
            }
            else if (isForClients && reader.ValueTextEquals("cursor"u8))
            {
                position = ReadPosition(ref reader);
            }
            else if (isForClients && reader.ValueTextEquals("metadata"u8))
            {
                reader.Skip();
            }
            else if (isForClients && reader.ValueTextEquals("after"u8))
            {
                end = (int)reader.TokenStartIndex - 1; // the comma before it
                after = ReadPosition(ref reader);
            }
            else if (!isForClients && reader.ValueTextEquals("traceparent"u8))
            {
                traceParent = ReadString(ref reader);
            }
            else if (!isForClients && reader.ValueTextEquals("tag"u8))
            {
                reader.Skip();
            }
            else
            {
                return false;
            }
        }

        if (!isOfUser || !hasType || generationId is not { Length: > 0 } || status is null || timestamp is null || after is null
            || position is not { Seq: >= 1 } at || at.Seq != seq || message.Span[end] != (byte)',')
        {
            return false;
        }

        update = new SealedUpdate
        {
            GenerationId = generationId,
            Status = status.Value,
            Timestamp = timestamp.Value,
            Position = at,
            After = after.Value,
            TraceParent = traceParent,
            OpenJson = message[..end],
        };
        return true;
    }

    private static string? ReadString(ref Utf8JsonReader reader) =>
        reader.Read() && reader.TokenType == JsonTokenType.String ? reader.GetString() : null;

    private static long? ReadNumber(ref Utf8JsonReader reader) =>
        reader.Read() && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number) ? number : null;

    private static LogPosition? ReadPosition(ref Utf8JsonReader reader)
    {
        Span<char> text = stackalloc char[LogPosition.MaxLength];
        return reader.Read() && reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length <= text.Length
            && LogPosition.TryParse(text[..reader.CopyString(text)], out var position)
                ? position
                : null;
    }
}
