namespace StatusUpdates.Data.Schema;

/// <summary>A Telegram chat that is told one user's updates. Its position in the log is the cursor <c>telegram-{botId}:{chatId}</c>.</summary>
public sealed class TelegramLink
{
    /// <summary>Telegram's number of the chat.</summary>
    public required long ChatId { get; init; }

    /// <summary>Telegram's number of the bot that tells it: to another bot the chat may not exist.</summary>
    public required long BotId { get; init; }

    /// <summary>Whose log it is told.</summary>
    public required string UserId { get; init; }

    /// <summary>How Telegram names the chat: a user name, or a group's title.</summary>
    public string? ChatName { get; init; }

    /// <summary>Of a chat with topics, the one that it was linked in; null for none, and for the one called General.</summary>
    public int? TopicId { get; init; }

    /// <summary>When it was linked.</summary>
    public required DateTimeOffset LinkedAt { get; init; }
}

/// <summary>A code that links one chat. Used, its row is gone.</summary>
public sealed class TelegramLinkCode
{
    /// <summary>SHA-256 of the code.</summary>
    public required byte[] Hash { get; init; }

    /// <summary>To whose log it links.</summary>
    public required string UserId { get; init; }

    /// <summary>Until when it can be used.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>The latest message about one generation in one chat: progress is written into it.</summary>
public sealed class TelegramMessage
{
    /// <summary>Which chat.</summary>
    public required long ChatId { get; init; }

    /// <summary>Which generation.</summary>
    public required string GenerationId { get; init; }

    /// <summary>Telegram's number of the message.</summary>
    public required int MessageId { get; init; }

    /// <summary>The status that it tells, by wire name.</summary>
    public required string Status { get; init; }

    /// <summary>When it was sent or edited last.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }
}
