namespace StatusUpdates.Client.Feeds;

/// <summary>One connection of a feed, from its first packet to its end. One reader at a time; nothing is read ahead.</summary>
internal interface IFeedSession : IAsyncDisposable
{
    StatusTransport Transport { get; }

    FeedPhase Phase { get; }

    /// <summary>The token that was sent to the server or accepted by it; null if the session has no token of its own.</summary>
    string? Token { get; }

    /// <summary>Connects if necessary and waits for the next events. The list is valid until the next call.</summary>
    ValueTask<IReadOnlyList<FeedEvent>> NextAsync(CancellationToken cancellationToken);
}

/// <summary>How far a session got. The meaning of a failure depends on it.</summary>
internal enum FeedPhase
{
    /// <summary>Waiting for the caller's token provider.</summary>
    Token,

    /// <summary>Waiting for the server.</summary>
    Connecting,

    /// <summary>A WebSocket has received the server's first message and nothing after it.</summary>
    Connected,

    /// <summary>The server is sending: a WebSocket's second message or a poll's response has arrived.</summary>
    Receiving,
}
