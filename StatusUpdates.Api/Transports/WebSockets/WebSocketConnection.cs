using System.Text.Json;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Security;
using StatusUpdates.Api.Security.Bearer;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>
/// One WebSocket of <c>/ws/status</c>: it sends a feed and receives messages from the client.
/// Concurrency: a receiving and a sending side run concurrently; when one ends, so does the other.
/// Closing: a reason is set, the close frame is sent, then the peer's close is awaited.
/// </summary>
internal sealed class WebSocketConnection : FeedConnection
{
    private readonly AccessTokenValidator _tokens;
    private readonly PendingMessages _pending;
    private readonly WebSocketReader _reader;
    private MessageRate _rate;

    // Timestamps. Only the clock writes them, except that the receiving side writes the first too.
    private long _lastReceived;
    private long _lastPing;

    public WebSocketConnection(
        HttpContext http, Stream stream, FeedCursor cursor, AccessToken token, bool batches, ConnectionContext context, AccessTokenValidator tokens)
        : base(http, cursor, token, context, "websocket")
    {
        _tokens = tokens;
        _pending = new PendingMessages(cursor);
        _reader = new WebSocketReader(stream, context.Options.MaxMessageBytes);
        _rate = new MessageRate(context.Options.MaxMessagesPerSecond);
        _lastReceived = _lastPing = Context.Time.GetTimestamp();
        Sender = new FeedSender(stream, cursor, new WebSocketFormat(_pending, batches), Context, Transport);
    }

    protected override FeedSender Sender { get; }

    protected override bool IsClosing => _pending.Closing is not null;

    protected override Task ServeAsync() => Task.WhenAll(ReceiveAsync(), SendUntilEndAsync());

    public override void Drain() => _pending.Close(CloseReason.Draining);

    protected override void Expire() => _pending.Close(CloseReason.TokenExpired);

    protected override void Warn(DateTimeOffset expiresAt) => _pending.TokenExpiring(expiresAt);

    protected override void Heartbeat()
    {
        if (Cursor.IsFiltered)
        {
            _pending.Position();
        }
    }

    protected override void CheckPeer(long timestamp, bool isBlocked)
    {
        if (isBlocked)
        {
            Volatile.Write(ref _lastReceived, timestamp);
            return;
        }

        var silence = Since(Volatile.Read(ref _lastReceived), timestamp);
        if (silence >= Context.Options.PeerTimeout)
        {
            Context.LogDead(Transport, Context.Options.PeerTimeout);
            Context.Metrics.DeadAborted(Transport);
            Abort();
        }
        else if (silence >= Context.Options.PingInterval && Since(_lastPing, timestamp) >= Context.Options.PingInterval)
        {
            _lastPing = timestamp;
            _pending.Ping();
        }
    }

    private async Task SendUntilEndAsync()
    {
        await SendAsync();

        // If the sender failed, the receiver must not wait for room among pending messages that nobody sends.
        _pending.Close(CloseReason.InternalError);
    }

    private async Task ReceiveAsync()
    {
        try
        {
            await ReceiveMessagesAsync();
        }
        catch (Exception e) when (IsConnectionLoss(e))
        {
            OnLost(e.GetType().Name);
        }
        catch (Exception e)
        {
            Context.LogFailed(Transport, e);
            _pending.Close(CloseReason.InternalError);
        }
        finally
        {
            _reader.Release();
        }
    }

    private async Task ReceiveMessagesAsync()
    {
        while (true)
        {
            var received = await _reader.ReadAsync();
            var now = Context.Time.GetTimestamp();
            Volatile.Write(ref _lastReceived, now);
            switch (received.Kind)
            {
                case ReceivedKind.Close:
                    _pending.Close(received.Reason!);
                    return;
                case ReceivedKind.End:
                    OnLost("end of stream");
                    return;
                case ReceivedKind.Violation:
                    await CloseAndDrainAsync(received.Reason!);
                    return;
                case ReceivedKind.Text or ReceivedKind.Ping or ReceivedKind.Pong when !_rate.TryCount(now, Context.Time):
                    await CloseAndDrainAsync(CloseReason.TooManyMessages);
                    return;
                case ReceivedKind.Ping:
                    _pending.Pong(received.Data.Span);
                    break;
                case ReceivedKind.Text when _pending.Closing is null:
                    await AnswerAsync(received.Data);
                    break;
                default:
                    break;
            }
        }
    }

    // The client may be in the middle of a message: if that stayed unread, the system would reset the connection, and the close frame would be lost.
    private async Task CloseAndDrainAsync(CloseReason reason)
    {
        _pending.Close(reason);
        await _reader.DrainAsync();
    }

    private void OnLost(string reason)
    {
        // After a close, either side may end the connection: then nothing is lost.
        if (_pending.Close(CloseReason.NoStatus))
        {
            Context.LogLost(Transport, reason);
        }

        Abort();
    }

    private async ValueTask AnswerAsync(ReadOnlyMemory<byte> text)
    {
        ClientMessage? message;
        try
        {
            message = JsonSerializer.Deserialize(text.Span, WebSocketJsonContext.Default.ClientMessage);
        }
        catch (JsonException)
        {
            await _pending.ReplyAsync(ServerMessage.Error("invalid_message", "Not a JSON object with a type."));
            return;
        }

        switch (message)
        {
            case { Type: ClientMessage.Ping }:
                await _pending.ReplyAsync(ServerMessage.Pong);
                break;
            case { Type: ClientMessage.Authenticate, Token: { Length: > 0 } token }:
                await AuthenticateAsync(token);
                break;
            case { Type: ClientMessage.Authenticate }:
                await _pending.ReplyAsync(ServerMessage.Error("invalid_message", "authenticate needs a token."));
                break;
            default:
                await _pending.ReplyAsync(ServerMessage.Error("unknown_type", "The types are ping and authenticate."));
                break;
        }
    }

    private async Task AuthenticateAsync(string text)
    {
        if (await _tokens.ValidateAsync(text) is not { } token)
        {
            await _pending.ReplyAsync(ServerMessage.Error(
                Errors.ProblemCodes.InvalidToken.Name, "The token is not valid; the previous one remains valid until it expires."));
            return;
        }

        if (!string.Equals(token.UserId, UserId, StringComparison.Ordinal))
        {
            _pending.Close(CloseReason.ForeignToken);
            return;
        }

        Renew(token);
        _pending.CancelTokenExpiring();
        await _pending.ReplyAsync(ServerMessage.Authenticated(token.ExpiresAt));
    }
}
