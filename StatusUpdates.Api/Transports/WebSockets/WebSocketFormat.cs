using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>A feed as WebSocket messages; it ends with the close frame.</summary>
internal sealed class WebSocketFormat(PendingMessages pending, bool batches) : IFeedFormat
{
    public void AppendConnected(ref WriteBuffer buffer, string userId, LogPosition position) =>
        buffer.AppendText(ServerMessage.Connected(userId, position).Encode());

    public void AppendResync(ref WriteBuffer buffer, LogPosition head, LogPosition position) =>
        buffer.AppendText(ServerMessage.Resync(head).Encode());

    public void AppendState(ref WriteBuffer buffer, Frame state, LogPosition position) => buffer.Append(state.Wire.Span);

    public void AppendUpdates(ref WriteBuffer buffer, ReadOnlySpan<Frame> frames, bool inLog)
    {
        if (batches && frames.Length > 1)
        {
            buffer.AppendBatch(frames);
        }
        else
        {
            buffer.AppendEach(frames);
        }
    }

    public ReadOnlyMemory<byte> Preencoded(Frame frame) => frame.Wire;

    public bool AppendPending(ref WriteBuffer buffer)
    {
        pending.WriteTo(ref buffer);
        if (pending.Closing is not { } reason)
        {
            return false;
        }

        buffer.AppendClose(reason);
        return true;
    }
}
