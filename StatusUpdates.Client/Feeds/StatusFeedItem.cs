using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

/// <summary>What a feed yields: an update, or the word that updates were missed. There are no other cases.</summary>
public abstract record StatusFeedItem
{
    private StatusFeedItem()
    {
    }

    /// <summary>An update.</summary>
    /// <param name="Update">
    /// Its <see cref="StatusUpdate.Seq"/> is above that of every update before it since the last <see cref="Resync"/>. It is null for an
    /// update of a publisher that keeps no log: such a one is seen live over WebSocket only, and moves no cursor.
    /// </param>
    public sealed record Updated(StatusUpdate Update) : StatusFeedItem;

    /// <summary>
    /// The log could not serve the cursor: what followed it was removed, or the log was restored from an older backup. Read the state anew
    /// over REST, and ignore an update whose <see cref="StatusUpdate.Seq"/> is not above that of the generation as it was read.
    /// </summary>
    /// <param name="Position">The position from which the feed goes on. It may be lower than what was seen before.</param>
    public sealed record Resync(LogPosition Position) : StatusFeedItem;
}
