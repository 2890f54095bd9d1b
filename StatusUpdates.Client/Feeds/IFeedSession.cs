namespace StatusUpdates.Client;

/// <summary>One connection of a feed, from its first packet to its end. Used by one reader at a time; nothing is read ahead.</summary>
internal interface IFeedSession : IAsyncDisposable
{
    StatusTransport Transport { get; }

    FeedPhase Phase { get; }

    /// <summary>The token that the server has accepted or is asked to accept, where this session carries one of its own.</summary>
    string? Token { get; }

    /// <summary>Connects if it has not yet, and waits for what comes next. The list holds until the next call.</summary>
    ValueTask<IReadOnlyList<FeedEvent>> NextAsync(CancellationToken cancellationToken);
}

/// <summary>How far a session has come: what its failure says depends on it.</summary>
internal enum FeedPhase
{
    /// <summary>The caller's token provider is asked.</summary>
    Token,

    /// <summary>The server is asked.</summary>
    Connecting,

    /// <summary>A WebSocket has brought the server's first message, and nothing after it.</summary>
    Connected,

    /// <summary>The server speaks.</summary>
    Through,
}
