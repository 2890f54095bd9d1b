using System.Text.Json.Serialization;
using StatusUpdates.Api.Json;

namespace StatusUpdates.Api.Bot;

/// <summary>A code: sent to the bot as <c>/start &lt;code&gt;</c>, it links that chat to the caller.</summary>
/// <param name="Code">The code.</param>
/// <param name="ExpiresAt">Until when it can be used.</param>
/// <param name="Url">Opens the bot with the code; absent where the bot's name is not configured.</param>
internal sealed record LinkCodeView(string Code, DateTimeOffset ExpiresAt, string? Url);

/// <summary>A chat that is told the caller's updates.</summary>
/// <param name="Id">Telegram's number of the chat.</param>
/// <param name="ChatName">A person's or a group's name at Telegram; absent where there is none.</param>
/// <param name="LinkedAt">Since when.</param>
internal sealed record LinkedChatView(long Id, string? ChatName, DateTimeOffset LinkedAt);

/// <summary>All linked chats, the oldest link first.</summary>
/// <param name="Items">The chats.</param>
internal sealed record LinkedChatList(IReadOnlyList<LinkedChatView> Items);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(Success<LinkCodeView>))]
[JsonSerializable(typeof(Success<LinkedChatList>))]
internal sealed partial class BotJsonContext : JsonSerializerContext;
