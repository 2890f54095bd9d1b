using System.Text.Json;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>
/// One WebSocket of <c>/ws/status</c>: a feed that is sent, and a client that may speak.
/// Concurrency: a receiving and a sending side run side by side; either's end is the other's.
/// Closing: a reason is set, the close frame goes out, the peer's is waited for.
/// </summary>
internal sealed class WebSocketConnection : FeedConnection
{
    private readonly WebSocketContext _context;
    private readonly Outbox _outbox;
    private readonly WebSocketReader _reader;
    private MessageRate _rate;

    // Timestamps; the clock alone writes all but the first.
    private long _heard;
    private long _pinged;

    public WebSocketConnection(HttpContext http, Stream stream, FeedCursor cursor, AccessToken token, bool batches, WebSocketContext context)
        : base(http, cursor, token, context.Connections, WebSocketContext.Transport)
    {
        _context = context;
        _outbox = new Outbox(cursor);
        _reader = new WebSocketReader(stream, context.Options.MaxMessageBytes);
        _rate = new MessageRate(context.Options.MaxMessagesPerSecond);
        _heard = _pinged = Context.Time.GetTimestamp();
        Sender = new FeedSender(stream, cursor, new WebSocketFormat(_outbox, batches), Context);
    }

    protected override FeedSender Sender { get; }

    protected override bool IsClosing => _outbox.Closing is not null;

    protected override Task ServeAsync() => Task.WhenAll(ReceiveAsync(), SendToTheEndAsync());

    public override void Drain() => _outbox.Close(CloseReason.Draining);

    protected override void Expire() => _outbox.Close(CloseReason.TokenExpired);

    protected override void Warn(DateTimeOffset expiresAt) => _outbox.TokenExpiring(expiresAt);

    protected override void Beat()
    {
        if (Cursor.IsFiltered)
        {
            _outbox.Position();
        }
    }

    protected override void Check(long timestamp, bool isBlocked)
    {
        if (isBlocked)
        {
            Volatile.Write(ref _heard, timestamp);
            return;
        }

        var silence = Since(Volatile.Read(ref _heard), timestamp);
        if (silence >= _context.Options.PeerTimeout)
        {
            Context.LogDead(WebSocketContext.Transport, _context.Options.PeerTimeout);
            Context.Metrics.PeerDied(WebSocketContext.Transport);
            Abort();
        }
        else if (silence >= _context.Options.PingInterval && Since(_pinged, timestamp) >= _context.Options.PingInterval)
        {
            _pinged = timestamp;
            _outbox.Ping();
        }
    }

    private async Task SendToTheEndAsync()
    {
        await SendAsync();

        // Where the sender ended by a fault of its own, the receiver must not wait for room in an outbox that nobody empties.
        _outbox.Close(CloseReason.InternalError);
    }

    private async Task ReceiveAsync()
    {
        try
        {
            await ReceiveMessagesAsync();
        }
        catch (Exception e) when (IsLoss(e))
        {
            Lose(e.GetType().Name);
        }
        catch (Exception e)
        {
            Context.LogFailed(WebSocketContext.Transport, e);
            _outbox.Close(CloseReason.InternalError);
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
            Volatile.Write(ref _heard, now);
            switch (received.Kind)
            {
                case ReceivedKind.Close:
                    _outbox.Close(received.Reason!);
                    return;
                case ReceivedKind.End:
                    Lose("end of stream");
                    return;
                case ReceivedKind.Violation:
                    await CloseAndDrainAsync(received.Reason!);
                    return;
                case ReceivedKind.Text or ReceivedKind.Ping or ReceivedKind.Pong when !_rate.TryCount(now, Context.Time):
                    await CloseAndDrainAsync(CloseReason.TooManyMessages);
                    return;
                case ReceivedKind.Ping:
                    _outbox.Pong(received.Data.Span);
                    break;
                case ReceivedKind.Text when _outbox.Closing is null:
                    await AnswerAsync(received.Data);
                    break;
                default:
                    break;
            }
        }
    }

    // The client may be in the middle of a message: unread, it would make the system reset the connection, and the close frame with it.
    private async Task CloseAndDrainAsync(CloseReason reason)
    {
        _outbox.Close(reason);
        await _reader.DrainAsync();
    }

    private void Lose(string reason)
    {
        // After a close either side may end the connection: that is no loss.
        if (_outbox.Close(CloseReason.NoStatus))
        {
            Context.LogLost(WebSocketContext.Transport, reason);
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
            await _outbox.ReplyAsync(ServerMessage.Error("invalid_message", "Not a JSON object with a type."));
            return;
        }

        switch (message)
        {
            case { Type: ClientMessage.Ping }:
                await _outbox.ReplyAsync(ServerMessage.Pong);
                break;
            case { Type: ClientMessage.Authenticate, Token: { Length: > 0 } token }:
                await AuthenticateAsync(token);
                break;
            case { Type: ClientMessage.Authenticate }:
                await _outbox.ReplyAsync(ServerMessage.Error("invalid_message", "authenticate needs a token."));
                break;
            default:
                await _outbox.ReplyAsync(ServerMessage.Error("unknown_type", "The types are ping and authenticate."));
                break;
        }
    }

    private async Task AuthenticateAsync(string text)
    {
        if (await _context.Tokens.ValidateAsync(text) is not { } token)
        {
            await _outbox.ReplyAsync(ServerMessage.Error(
                Errors.ProblemCodes.InvalidToken, "The token is not valid; the one before it still holds until its expiry."));
            return;
        }

        if (!string.Equals(token.UserId, UserId, StringComparison.Ordinal))
        {
            _outbox.Close(CloseReason.ForeignToken);
            return;
        }

        Renew(token);
        _outbox.ForgetExpiring();
        await _outbox.ReplyAsync(ServerMessage.Authenticated(token.ExpiresAt));
    }
}
