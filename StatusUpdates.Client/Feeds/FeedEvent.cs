using StatusUpdates.Messaging;

namespace StatusUpdates.Client.Feeds;

internal enum FeedEventKind
{
    /// <summary>A connection is established, at this position.</summary>
    Started,
    Update,

    /// <summary>No further relevant updates up to this position.</summary>
    Position,
    Resync,
}

/// <summary>An event of a session. Sessions deliver events in order.</summary>
internal readonly record struct FeedEvent(FeedEventKind Kind, LogPosition Position, StatusUpdate? Update = null, string? UserId = null)
{
    public static FeedEvent Of(StatusUpdate update) => new(FeedEventKind.Update, update.Position ?? default, update, update.UserId);
}
