using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

/// <summary>What a feed yields: an update, or a notice that updates were missed. There are no other cases.</summary>
public abstract record StatusFeedItem
{
    private StatusFeedItem()
    {
    }

    /// <summary>An update.</summary>
    /// <param name="Update">
    /// Its <see cref="StatusUpdate.Seq"/> is higher than that of every earlier update since the last <see cref="Resync"/>. It is null for an
    /// update from a publisher without a log: such an update is delivered live over WebSocket only and does not move the cursor.
    /// </param>
    public sealed record Updated(StatusUpdate Update) : StatusFeedItem;

    /// <summary>
    /// The log could not serve the cursor: the updates after it were removed, or the log was restored from an older backup. Reload the state
    /// over REST, and ignore updates whose <see cref="StatusUpdate.Seq"/> is not higher than that of the generation as loaded.
    /// </summary>
    /// <param name="Position">The position from which the feed continues. It may be lower than earlier positions.</param>
    public sealed record Resync(LogPosition Position) : StatusFeedItem;
}
