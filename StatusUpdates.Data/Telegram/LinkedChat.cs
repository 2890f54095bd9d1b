namespace StatusUpdates.Data.Telegram;

/// <summary>A Telegram chat that is told a user's updates.</summary>
/// <param name="ChatId">Telegram's number of the chat; negative for groups.</param>
/// <param name="ChatName">How Telegram names it, if it does.</param>
/// <param name="LinkedAt">Since when.</param>
public sealed record LinkedChat(long ChatId, string? ChatName, DateTimeOffset LinkedAt);

/// <summary>A code, as its user gets it.</summary>
/// <param name="Text">43 characters that need no escaping in a URL.</param>
/// <param name="ExpiresAt">Until when it can be used, by the database's clock.</param>
public sealed record IssuedLinkCode(string Text, DateTimeOffset ExpiresAt);

/// <summary>What became of a request for a code.</summary>
/// <param name="Code">The code; null if it was refused.</param>
/// <param name="Refusal">Why it was refused.</param>
public sealed record LinkCodeResult(IssuedLinkCode? Code, LinkCodeRefusal? Refusal);

/// <summary>Why there is no further code.</summary>
public enum LinkCodeRefusal
{
    /// <summary>As many codes as are allowed wait to be used.</summary>
    TooManyCodes,

    /// <summary>The linked chats, with those that the waiting codes may link, are as many as are allowed.</summary>
    TooManyChats,
}

/// <summary>What is known of a chat when something is to be told there.</summary>
/// <param name="TopicId">The topic that it is told in; null for none, and for the one called General.</param>
/// <param name="Messages">The latest messages about the generations that were asked for; one without a message is absent.</param>
public sealed record ToldChat(int? TopicId, Dictionary<string, ChatMessage> Messages);

/// <summary>The latest message about a generation in a chat.</summary>
/// <param name="MessageId">Telegram's number of it.</param>
/// <param name="Status">The status that it tells, by wire name.</param>
public readonly record struct ChatMessage(int MessageId, string Status);
