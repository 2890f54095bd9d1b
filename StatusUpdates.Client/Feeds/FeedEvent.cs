using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

internal enum FeedEventKind
{
    /// <summary>A connection stands, at this position.</summary>
    Started,
    Update,

    /// <summary>Nothing of interest up to this position.</summary>
    Position,
    Resync,
}

/// <summary>What a session brings, in order.</summary>
internal readonly record struct FeedEvent(FeedEventKind Kind, LogPosition Position, StatusUpdate? Update = null, string? UserId = null)
{
    public static FeedEvent Of(StatusUpdate update) => new(FeedEventKind.Update, update.Position ?? default, update, update.UserId);
}
