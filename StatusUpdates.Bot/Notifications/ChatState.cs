using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Bot.Notifications;

/// <summary>What a chat's cursor stores in addition to its position.</summary>
internal sealed record ChatState
{
    private static readonly ChatState Empty = new();

    /// <summary>The entry that was sent in part; 0 for none.</summary>
    public long Seq { get; init; }

    /// <summary>How many of its parts Telegram has acknowledged: its text, then each result.</summary>
    public int Sent { get; init; }

    /// <summary>How many ways of sending the next result were given up because they always failed.</summary>
    public int WaysGivenUp { get; init; }

    /// <summary>How many attempts in this way have failed while Telegram answered other requests.</summary>
    public int FailuresOfWay { get; init; }

    /// <summary>How many attempts in a row have failed.</summary>
    public int Failures { get; init; }

    /// <summary>Parses what <see cref="Encode"/> returned.</summary>
    public static ChatState Parse(string? json) =>
        json is null ? Empty : JsonSerializer.Deserialize(json, ChatStateJsonContext.Default.ChatState) ?? Empty;

    /// <summary>As a JSON object; null if there is nothing to store.</summary>
    public string? Encode() => this == Empty ? null : JsonSerializer.Serialize(this, ChatStateJsonContext.Default.ChatState);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(ChatState))]
internal sealed partial class ChatStateJsonContext : JsonSerializerContext;
