using StatusUpdates.Api.Json;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports.LongPolling;

/// <summary>The result of a poll.</summary>
/// <param name="Items">Updates, in order; none if none arrived in time.</param>
/// <param name="Seq">The position to poll from next.</param>
/// <param name="Cursor">The same position with its check: the next poll's since.</param>
/// <param name="More">Whether the log is known to have updates after <paramref name="Seq"/>.</param>
internal sealed record PollPage(IReadOnlyList<EncodedUpdate> Items, long Seq, string Cursor, bool More)
{
    public static PollPage Of(IReadOnlyList<EncodedUpdate> items, LogPosition position, bool more) =>
        new(items, position.Seq, position.ToString(), more);

    /// <summary>True if the log could not serve the requested position: read the state by REST, then continue from <see cref="Seq"/>.</summary>
    public bool? Resync { get; init; }
}
