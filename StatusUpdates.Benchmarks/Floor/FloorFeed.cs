using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Transports;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Floor;

/// <summary>
/// Sends the floor server exactly the bytes that the API would send. Consecutive updates of one user form one record, and therefore one write, of
/// the same size as the API's writes.
/// </summary>
internal sealed class FloorFeed : IDelivery
{
    private static readonly int WriteBytes = new ConnectionOptions().WriteBytes;

    private readonly Socket _socket;
    private readonly SemaphoreSlim _sendLock = new(1);
    private readonly ArrayBufferWriter<byte> _buffer = new(1024 * 1024);

    private FloorFeed(Socket socket) => _socket = socket;

    public static async Task<FloorFeed> ConnectAsync(Uri server, CancellationToken cancellationToken) =>
        new(await RawWebSocket.ConnectAsync(server, "/feed", null, 64 * 1024, cancellationToken));

    public async Task PublishAsync(IReadOnlyList<StatusUpdate> updates, CancellationToken cancellationToken)
    {
        await _sendLock.WaitAsync(cancellationToken);
        try
        {
            _buffer.ResetWrittenCount();
            for (var at = 0; at < updates.Count;)
            {
                at += Write(updates, at);
            }

            for (var rest = _buffer.WrittenMemory; !rest.IsEmpty;)
            {
                rest = rest[await _socket.SendAsync(rest, cancellationToken)..];
            }
        }
        finally
        {
            _sendLock.Release();
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _sendLock.Dispose();
        return ValueTask.CompletedTask;
    }

    private int Write(IReadOnlyList<StatusUpdate> updates, int at)
    {
        var user = updates[at].UserId;
        var size = _buffer.GetSpan(sizeof(ushort) + Encoding.UTF8.GetMaxByteCount(user.Length) + sizeof(int));
        var nameLength = Encoding.UTF8.GetBytes(user, size[sizeof(ushort)..]);
        BinaryPrimitives.WriteUInt16LittleEndian(size, (ushort)nameLength);
        _buffer.Advance(sizeof(ushort) + nameLength);

        var frames = new List<Frame>();
        var bytes = 0;
        while (at + frames.Count < updates.Count && updates[at + frames.Count].UserId == user)
        {
            var frame = Frame.Of(updates[at + frames.Count]);
            if (frames.Count > 0 && bytes + frame.Wire.Length > WriteBytes)
            {
                break;
            }

            frames.Add(frame);
            bytes += frame.Wire.Length;
        }

        BinaryPrimitives.WriteInt32LittleEndian(_buffer.GetSpan(sizeof(int)), bytes);
        _buffer.Advance(sizeof(int));
        foreach (var frame in frames)
        {
            _buffer.Write(frame.Wire.Span);
        }

        return frames.Count;
    }
}
