using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Bot.Notifications;

/// <summary>What a chat's cursor keeps beside its position.</summary>
internal sealed record ChatState
{
    private static readonly ChatState Nothing = new();

    /// <summary>The entry whose telling has begun; 0 for none.</summary>
    public long Seq { get; init; }

    /// <summary>How many of its parts Telegram has acknowledged: its text, then each result.</summary>
    public int Sent { get; init; }

    /// <summary>How many ways of sending the next result are given up, because Telegram has always failed by them.</summary>
    public int WaysGivenUp { get; init; }

    /// <summary>How many tries in a row have failed.</summary>
    public int Failures { get; init; }

    /// <summary>Reads what <see cref="Encode"/> made.</summary>
    public static ChatState Parse(string? json) =>
        json is null ? Nothing : JsonSerializer.Deserialize(json, ChatStateJsonContext.Default.ChatState) ?? Nothing;

    /// <summary>As a JSON object; null if there is nothing to keep.</summary>
    public string? Encode() => this == Nothing ? null : JsonSerializer.Serialize(this, ChatStateJsonContext.Default.ChatState);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(ChatState))]
internal sealed partial class ChatStateJsonContext : JsonSerializerContext;
