using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports;

/// <summary>How a transport writes a feed. Called by the sending side alone, one call at a time.</summary>
internal interface IFeedFormat
{
    /// <summary>The transport's name in metrics.</summary>
    string Transport { get; }

    /// <summary>The first message: whose feed it is, and from where it goes on.</summary>
    void AppendConnected(ref WriteBuffer buffer, string userId, LogPosition position);

    /// <summary>Tells that the log cannot serve the cursor, which goes on from <paramref name="head"/>.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="head">The log's head.</param>
    /// <param name="position">The position to resume from, should this be the last that the client gets.</param>
    void AppendResync(ref WriteBuffer buffer, LogPosition head, LogPosition position);

    /// <summary>A generation's present state, in place of updates that the log has no more.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="state">The state, as an update.</param>
    /// <param name="position">The position to resume from.</param>
    void AppendState(ref WriteBuffer buffer, Frame state, LogPosition position);

    /// <summary>Updates, in order.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="frames">One or more.</param>
    /// <param name="inLog">Whether they have a place in the log.</param>
    void AppendUpdates(ref WriteBuffer buffer, ReadOnlySpan<Frame> frames, bool inLog);

    /// <summary>The bytes of a single update, if they are there already and need not be copied; else empty.</summary>
    ReadOnlyMemory<byte> AsIs(Frame frame);

    /// <summary>What is due beside updates.</summary>
    /// <returns>Whether this is the end: nothing may follow it.</returns>
    bool AppendDue(ref WriteBuffer buffer);
}
