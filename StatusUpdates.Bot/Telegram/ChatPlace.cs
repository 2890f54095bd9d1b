namespace StatusUpdates.Bot.Telegram;

/// <summary>The destination of a message.</summary>
/// <param name="ChatId">Telegram's id of the chat.</param>
/// <param name="TopicId">The topic in it (<c>message_thread_id</c>); null for none. Messages to the topic General, while it is open, have none.</param>
internal readonly record struct ChatPlace(long ChatId, int? TopicId = null);
