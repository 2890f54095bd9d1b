namespace StatusUpdates.Bot.Telegram;

/// <summary>The outcome of a request to Telegram.</summary>
internal enum SendOutcome
{
    /// <summary>Telegram has acknowledged it.</summary>
    Sent,

    /// <summary>Telegram will never accept it.</summary>
    Refused,

    /// <summary>The message to edit no longer exists.</summary>
    MessageGone,

    /// <summary>The bot was blocked or removed, or the chat no longer exists.</summary>
    ChatGone,

    /// <summary>The group has a new id.</summary>
    ChatMoved,

    /// <summary>The topic was deleted; the chat still exists.</summary>
    TopicGone,

    /// <summary>Too many requests: wait for <see cref="SendResult.RetryAfter"/>.</summary>
    RetryAfter,

    /// <summary>The bot may not write there now, which people can change: a right is missing, or the topic is closed.</summary>
    NotAllowed,

    /// <summary>Telegram was unreachable, did not answer, or had an internal error. It is unknown whether it has the message.</summary>
    Failed,
}

/// <summary>An outcome with its details.</summary>
/// <param name="Outcome">The outcome.</param>
internal readonly record struct SendResult(SendOutcome Outcome)
{
    /// <summary>Telegram's id of the message that was sent; 0 if it is not known.</summary>
    public int MessageId { get; init; }

    /// <summary>How long to wait before the next message to the chat.</summary>
    public TimeSpan RetryAfter { get; init; }

    /// <summary>The group's new id.</summary>
    public long MovedTo { get; init; }

    /// <summary>What went wrong; null if nothing did.</summary>
    public string? Reason { get; init; }
}
