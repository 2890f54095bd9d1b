namespace StatusUpdates.Bot.Telegram;

/// <summary>Where a message goes.</summary>
/// <param name="ChatId">Telegram's number of the chat.</param>
/// <param name="TopicId">The topic in it (<c>message_thread_id</c>); null for none. Messages to General, where it is open, name none.</param>
internal readonly record struct ChatPlace(long ChatId, int? TopicId = null);
