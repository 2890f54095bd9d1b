using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>
/// The messages to send that are not updates. Bounded: a few replies, and one of each message that the clock requests; the sending side
/// takes all at once. Thread-safe; adding a message wakes the sending side.
/// </summary>
internal sealed class PendingMessages(FeedCursor cursor)
{
    private const int MaxReplies = 8;

    private readonly Lock _gate = new();
    private Queue<byte[]>? _replies;
    private TaskCompletionSource? _room;
    private byte[]? _pong;
    private ServerMessage? _expiring;
    private bool _ping;
    private bool _position;
    private CloseReason? _close;

    /// <summary>Why the connection is being closed; null while it is open.</summary>
    public CloseReason? Closing => Volatile.Read(ref _close);

    /// <summary>Replies to the client. While the client does not take its replies, this waits, and so no further messages are read.</summary>
    public async ValueTask ReplyAsync(ServerMessage message)
    {
        var encoded = message.Encode();
        while (true)
        {
            Task room;
            lock (_gate)
            {
                if (_close is not null)
                {
                    return;
                }

                _replies ??= new(1);
                if (_replies.Count < MaxReplies)
                {
                    _replies.Enqueue(encoded);
                    break;
                }

                _room ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
                room = _room.Task;
            }

            await room;
        }

        cursor.Signal();
    }

    /// <summary>Answers a ping; only the last of several pings is answered (RFC 6455, section 5.5.3).</summary>
    public void Pong(ReadOnlySpan<byte> data) => Set(ref _pong, data.ToArray());

    public void Ping() => Set(ref _ping, true);

    /// <summary>Sends the client its position.</summary>
    public void Position() => Set(ref _position, true);

    public void TokenExpiring(DateTimeOffset expiresAt) => Set(ref _expiring, ServerMessage.TokenExpiring(expiresAt));

    /// <summary>The expiring token has been replaced: its expiry need no longer be announced.</summary>
    public void CancelTokenExpiring()
    {
        lock (_gate)
        {
            _expiring = null;
        }
    }

    /// <summary>Closes after the messages that are already pending. Only the first reason counts.</summary>
    /// <returns>Whether this was the first.</returns>
    public bool Close(CloseReason reason)
    {
        TaskCompletionSource? room;
        lock (_gate)
        {
            if (_close is not null)
            {
                return false;
            }

            Volatile.Write(ref _close, reason);
            room = _room;
            _room = null;
        }

        room?.SetResult();
        cursor.Signal();
        return true;
    }

    /// <summary>Sending side: takes all messages, except for the close.</summary>
    public void WriteTo(ref WriteBuffer buffer)
    {
        TaskCompletionSource? room;
        lock (_gate)
        {
            while (_replies is not null && _replies.TryDequeue(out var reply))
            {
                buffer.AppendText(reply);
            }

            if (_expiring is { } expiring)
            {
                buffer.AppendText(expiring.Encode());
            }

            if (_position)
            {
                buffer.AppendText(ServerMessage.Position(cursor.Position).Encode());
            }

            if (_pong is { } pong)
            {
                buffer.AppendPong(pong);
            }

            if (_ping)
            {
                buffer.AppendPing();
            }

            _replies = null;
            _expiring = null;
            _position = false;
            _pong = null;
            _ping = false;
            room = _room;
            _room = null;
        }

        room?.SetResult();
    }

    private void Set<T>(ref T message, T value)
    {
        lock (_gate)
        {
            message = value;
        }

        cursor.Signal();
    }
}
