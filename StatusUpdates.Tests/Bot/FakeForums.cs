namespace StatusUpdates.Tests.Bot;

/// <summary>Topics of groups, and the errors of the Bot API if one is closed or missing. A group that was never named here has none.</summary>
internal sealed class FakeForums
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(long Chat, int Topic), bool> _isOpen = [];

    public void Open(long chatId, int topicId)
    {
        lock (_lock)
        {
            _isOpen[(chatId, topicId)] = true;
        }
    }

    public void Close(long chatId, int topicId)
    {
        lock (_lock)
        {
            _isOpen[(chatId, topicId)] = false;
        }
    }

    public void Remove(long chatId, int topicId)
    {
        lock (_lock)
        {
            _isOpen.Remove((chatId, topicId));
        }
    }

    /// <summary>Why nothing can be sent to the topic; null if it can. General is addressed without a topic id.</summary>
    public string? ErrorOf(long chatId, int? topicId)
    {
        lock (_lock)
        {
            return _isOpen.TryGetValue((chatId, topicId ?? 0), out var isOpen)
                ? topicId == 0 ? "Bad Request: message thread not found" : isOpen ? null : "Bad Request: TOPIC_CLOSED"
                : topicId is null ? null : "Bad Request: message thread not found";
        }
    }
}
