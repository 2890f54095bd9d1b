namespace StatusUpdates.Data.Schema;

/// <summary>A Telegram chat that receives one user's updates. Its position in the log is the cursor <c>telegram-{botId}:{chatId}</c>.</summary>
public sealed class TelegramLink
{
    /// <summary>Telegram's id of the chat.</summary>
    public required long ChatId { get; init; }

    /// <summary>Telegram's id of the bot that writes there: for another bot the chat may not exist.</summary>
    public required long BotId { get; init; }

    /// <summary>The owner of the log.</summary>
    public required string UserId { get; init; }

    /// <summary>Telegram's name of the chat: a user name, or a group's title.</summary>
    public string? ChatName { get; init; }

    /// <summary>In a chat with topics, the one that it was linked in; null without topics, and for the topic General.</summary>
    public int? TopicId { get; init; }

    /// <summary>When it was linked.</summary>
    public required DateTimeOffset LinkedAt { get; init; }
}

/// <summary>A code that links one chat. Its row is deleted when it is used.</summary>
public sealed class TelegramLinkCode
{
    /// <summary>SHA-256 of the code.</summary>
    public required byte[] Hash { get; init; }

    /// <summary>The owner of the log that it links to.</summary>
    public required string UserId { get; init; }

    /// <summary>When it expires.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>The latest message about one generation in one chat: progress is edited into it.</summary>
public sealed class TelegramMessage
{
    /// <summary>The chat.</summary>
    public required long ChatId { get; init; }

    /// <summary>The generation.</summary>
    public required string GenerationId { get; init; }

    /// <summary>Telegram's id of the message.</summary>
    public required int MessageId { get; init; }

    /// <summary>The status that it shows, by wire name.</summary>
    public required string Status { get; init; }

    /// <summary>When it was last sent or edited.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }
}
