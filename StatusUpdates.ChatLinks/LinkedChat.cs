namespace StatusUpdates.ChatLinks;

/// <summary>A Telegram chat that receives a user's updates.</summary>
/// <param name="ChatId">Telegram's id of the chat; negative for groups.</param>
/// <param name="ChatName">Telegram's name of it, if there is one.</param>
/// <param name="LinkedAt">When it was linked.</param>
public sealed record LinkedChat(long ChatId, string? ChatName, DateTimeOffset LinkedAt);

/// <summary>A link code, as the user gets it.</summary>
/// <param name="Text">43 characters that need no escaping in a URL.</param>
/// <param name="ExpiresAt">When it expires, by the database's clock.</param>
public sealed record IssuedLinkCode(string Text, DateTimeOffset ExpiresAt);

/// <summary>The result of a request for a link code.</summary>
/// <param name="Code">The code; null if it was refused.</param>
/// <param name="Refusal">The reason for the refusal.</param>
public sealed record LinkCodeResult(IssuedLinkCode? Code, LinkCodeRefusal? Refusal);

/// <summary>Why no link code was issued.</summary>
public enum LinkCodeRefusal
{
    /// <summary>The user has the maximum number of unused codes.</summary>
    TooManyCodes,

    /// <summary>The linked chats, together with those that unused codes may link, have reached the maximum.</summary>
    TooManyChats,
}

/// <summary>What is stored about a chat that receives updates.</summary>
/// <param name="TopicId">The topic to write to; null without topics, and for the topic General.</param>
/// <param name="Messages">The latest messages about the requested generations; those without a message are omitted.</param>
public sealed record ChatState(int? TopicId, Dictionary<string, ChatMessage> Messages);

/// <summary>The latest message about a generation in a chat.</summary>
/// <param name="MessageId">Telegram's id of it.</param>
/// <param name="Status">The status that it shows, by wire name.</param>
public readonly record struct ChatMessage(int MessageId, string Status);
