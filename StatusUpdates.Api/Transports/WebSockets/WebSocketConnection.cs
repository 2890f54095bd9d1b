using System.Text.Json;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>
/// One WebSocket of <c>/ws/status</c>.
/// Concurrency: a receiving and a sending side run side by side; either's end is the other's. The clock and the drain come from outside.
/// Lifecycle: open -> closing (a reason is set, the close frame goes out, the peer's is waited for) -> ended; a broken or overdue
/// connection is aborted, which ends both sides.
/// </summary>
internal sealed class WebSocketConnection : ITransportConnection
{
    private readonly HttpContext _http;
    private readonly WebSocketContext _context;
    private readonly FeedCursor _cursor;
    private readonly string _userId;
    private readonly Outbox _outbox;
    private readonly WebSocketReader _reader;
    private readonly WebSocketSender _sender;
    private TokenClock _token;
    private bool _warned;
    private MessageRate _rate;

    // Timestamps; the clock alone writes all but the first.
    private long _heard;
    private long _pinged;
    private long _positioned;
    private long _closing;

    public WebSocketConnection(
        HttpContext http, Stream stream, FeedCursor cursor, string userId, TokenClock token, bool batches, WebSocketContext context)
    {
        _http = http;
        _context = context;
        _cursor = cursor;
        _userId = userId;
        _token = token;
        _outbox = new Outbox(cursor);
        _reader = new WebSocketReader(stream, context.Options.MaxMessageBytes);
        _sender = new WebSocketSender(stream, cursor, _outbox, context, batches);
        _rate = new MessageRate(context.Options.MaxMessagesPerSecond);
        _heard = _pinged = _positioned = context.Time.GetTimestamp();
        Ended = Task.CompletedTask;
    }

    public Task Ended { get; private set; }

    /// <summary>Whether a write is under way that the peer, or the network, has not taken yet.</summary>
    internal bool IsWriting => _sender.WriteStarted is not null;

    /// <summary>The position up to which the client has been given updates.</summary>
    internal long Position => _cursor.Position;

    /// <summary>Serves the connection to its end.</summary>
    public Task RunAsync() => Ended = Task.WhenAll(ReceiveAsync(), SendAsync());

    public void Tick(long timestamp, DateTimeOffset now)
    {
        if (_outbox.Closing is not null)
        {
            if (_closing == 0)
            {
                _closing = timestamp;
            }
            else if (Since(_closing, timestamp) >= _context.Options.CloseTimeout)
            {
                Abort();
            }

            return;
        }

        CheckToken(now);
        if (!CheckSend(timestamp))
        {
            CheckPeer(timestamp);
        }

        if (_cursor.IsFiltered && Since(_positioned, timestamp) >= _context.Options.PositionInterval)
        {
            _positioned = timestamp;
            _outbox.Position();
        }
    }

    public void Drain() => _outbox.Close(CloseReason.Draining);

    public void Abort() => _http.Abort();

    private void CheckToken(DateTimeOffset now)
    {
        var token = Volatile.Read(ref _token);
        if (now >= token.EndAt)
        {
            _outbox.Close(CloseReason.TokenExpired);
        }
        else if (now >= token.WarnAt && !Volatile.Read(ref _warned))
        {
            Volatile.Write(ref _warned, true);
            _outbox.TokenExpiring(token.ExpiresAt);
        }
    }

    // True: a write is blocked. Such a peer is judged by that alone: its pings wait behind what it does not take.
    private bool CheckSend(long timestamp)
    {
        if (_sender.WriteStarted is not { } started || Since(started, timestamp) < ConnectionClock.Interval / 2)
        {
            return false;
        }

        Volatile.Write(ref _heard, timestamp);
        if (Since(started, timestamp) >= _context.Options.SendTimeout)
        {
            _context.LogSlow(_context.Options.SendTimeout);
            _context.Metrics.SlowAborted(WebSocketContext.Transport);
            Abort();
        }

        return true;
    }

    private void CheckPeer(long timestamp)
    {
        var silence = Since(Volatile.Read(ref _heard), timestamp);
        if (silence >= _context.Options.PeerTimeout)
        {
            _context.LogDead(_context.Options.PeerTimeout);
            _context.Metrics.PeerDied(WebSocketContext.Transport);
            Abort();
        }
        else if (silence >= _context.Options.PingInterval && Since(_pinged, timestamp) >= _context.Options.PingInterval)
        {
            _pinged = timestamp;
            _outbox.Ping();
        }
    }

    private TimeSpan Since(long then, long timestamp) => _context.Time.GetElapsedTime(then, timestamp);

    private async Task SendAsync()
    {
        try
        {
            await _sender.RunAsync(_userId);
        }
        catch (Exception e) when (IsLoss(e))
        {
            Abort();
        }
        catch (Exception e)
        {
            _context.LogFailed(e);
            Abort();
        }
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
            _context.LogFailed(e);
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
            var now = _context.Time.GetTimestamp();
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
                case ReceivedKind.Text or ReceivedKind.Ping when !_rate.TryCount(now, _context.Time):
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
            _context.LogLost(reason);
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

        if (!string.Equals(token.UserId, _userId, StringComparison.Ordinal))
        {
            _outbox.Close(CloseReason.ForeignToken);
            return;
        }

        // Order: the new clock first, or a tick in between would warn of the old token's end.
        Volatile.Write(ref _token, TokenClock.Of(token, BearerOptionsSetup.ClockSkew, _context.Time.GetUtcNow()));
        Volatile.Write(ref _warned, false);
        await _outbox.ReplyAsync(ServerMessage.Authenticated(token.ExpiresAt));
    }

    private static bool IsLoss(Exception exception) => exception is IOException or OperationCanceledException or ObjectDisposedException;
}
