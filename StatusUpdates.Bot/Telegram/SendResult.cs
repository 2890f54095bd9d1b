namespace StatusUpdates.Bot.Telegram;

/// <summary>What became of a request to Telegram.</summary>
internal enum SendOutcome
{
    /// <summary>Telegram has it, and said so.</summary>
    Sent,

    /// <summary>Telegram takes no such thing, now or later.</summary>
    Refused,

    /// <summary>The message that was to be edited is not there any more.</summary>
    MessageGone,

    /// <summary>The bot was blocked or removed, or the chat is no more.</summary>
    ChatGone,

    /// <summary>The group has another number.</summary>
    ChatMoved,

    /// <summary>The topic was removed; the chat is there.</summary>
    TopicGone,

    /// <summary>Too much at once: not before <see cref="SendResult.RetryAfter"/>.</summary>
    RetryAfter,

    /// <summary>The bot may not write there as things are, which people can change: a right is missing, or the topic is closed.</summary>
    NotAllowed,

    /// <summary>Telegram was not reached, did not answer, or had trouble of its own. Whether it has it is not known.</summary>
    Failed,
}

/// <summary>An outcome with what belongs to it.</summary>
/// <param name="Outcome">What became of it.</param>
internal readonly record struct SendResult(SendOutcome Outcome)
{
    /// <summary>Telegram's number of the message, of what was sent; 0 if that is not known.</summary>
    public int MessageId { get; init; }

    /// <summary>How long the chat is to be left alone.</summary>
    public TimeSpan RetryAfter { get; init; }

    /// <summary>The group's new number.</summary>
    public long MovedTo { get; init; }

    /// <summary>What Telegram said; null if all is well.</summary>
    public string? Reason { get; init; }
}
