namespace StatusUpdates.Api.Bot;

/// <summary>A one-time code. Sending it to the bot as <c>/start &lt;code&gt;</c> links that chat to the caller.</summary>
/// <param name="Code">The code.</param>
/// <param name="ExpiresAt">When it expires.</param>
/// <param name="Url">A link that opens the bot with the code; absent if the bot's name is not configured.</param>
internal sealed record LinkCodeView(string Code, DateTimeOffset ExpiresAt, string? Url);

/// <summary>A chat that receives the caller's updates.</summary>
/// <param name="Id">Telegram's chat id.</param>
/// <param name="ChatName">The person's or group's name on Telegram; absent if there is none.</param>
/// <param name="LinkedAt">When it was linked.</param>
internal sealed record LinkedChatView(long Id, string? ChatName, DateTimeOffset LinkedAt);

/// <summary>All linked chats, oldest link first.</summary>
/// <param name="Items">The chats.</param>
internal sealed record LinkedChatList(IReadOnlyList<LinkedChatView> Items);
