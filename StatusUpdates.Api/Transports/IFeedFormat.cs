using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports;

/// <summary>How a transport encodes a feed. Called by the sending side only, one call at a time.</summary>
internal interface IFeedFormat
{
    /// <summary>The first message: the user, and the position from which the feed continues.</summary>
    void AppendConnected(ref WriteBuffer buffer, string userId, LogPosition position);

    /// <summary>Reports that the log cannot serve the cursor, which continues from <paramref name="head"/>.</summary>
    /// <param name="buffer">The buffer to append to.</param>
    /// <param name="head">The log's head.</param>
    /// <param name="position">The position to resume from if this is the last message that the client gets.</param>
    void AppendResync(ref WriteBuffer buffer, LogPosition head, LogPosition position);

    /// <summary>A generation's current state, in place of updates that the log no longer has.</summary>
    /// <param name="buffer">The buffer to append to.</param>
    /// <param name="state">The state, as an update.</param>
    /// <param name="position">The position to resume from.</param>
    void AppendState(ref WriteBuffer buffer, Frame state, LogPosition position);

    /// <summary>Updates, in order.</summary>
    /// <param name="buffer">The buffer to append to.</param>
    /// <param name="frames">One or more.</param>
    /// <param name="inLog">Whether they have a position in the log.</param>
    void AppendUpdates(ref WriteBuffer buffer, ReadOnlySpan<Frame> frames, bool inLog);

    /// <summary>The encoded bytes of a single update if they can be sent without copying; else empty.</summary>
    ReadOnlyMemory<byte> Preencoded(Frame frame);

    /// <summary>Appends pending messages that are not updates.</summary>
    /// <returns>Whether this is the end: nothing may follow.</returns>
    bool AppendPending(ref WriteBuffer buffer);
}
