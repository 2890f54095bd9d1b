using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>
/// What is to be sent beside updates. Bounded: a few replies, and one mark each for what the clock asks for; the sending side takes
/// everything at once. Thread-safe; whoever adds something wakes the sending side.
/// </summary>
internal sealed class Outbox(FeedCursor cursor)
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

    /// <summary>How the connection is being closed; null while it is not.</summary>
    public CloseReason? Closing => Volatile.Read(ref _close);

    /// <summary>Answers the client. If the client does not take its answers, this waits, and with it the reading of further messages.</summary>
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

    /// <summary>Answers a ping. Of several the last one counts (RFC 6455, section 5.5.3).</summary>
    public void Pong(ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            _pong = data.ToArray();
        }

        cursor.Signal();
    }

    public void Ping()
    {
        lock (_gate)
        {
            _ping = true;
        }

        cursor.Signal();
    }

    /// <summary>Tells the client its position.</summary>
    public void Position()
    {
        lock (_gate)
        {
            _position = true;
        }

        cursor.Signal();
    }

    public void TokenExpiring(DateTimeOffset expiresAt)
    {
        lock (_gate)
        {
            _expiring = ServerMessage.TokenExpiring(expiresAt);
        }

        cursor.Signal();
    }

    /// <summary>The token that was about to expire has been replaced: of its end nothing needs to be said any more.</summary>
    public void ForgetExpiring()
    {
        lock (_gate)
        {
            _expiring = null;
        }
    }

    /// <summary>Closes after what is already here. The first reason stands.</summary>
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

    /// <summary>Sending side: takes everything out, the close excepted.</summary>
    public void MoveTo(ref WriteBuffer buffer)
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
}
