using System.Net.WebSockets;
using System.Runtime.ExceptionServices;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using StatusUpdates.Client.Http;
using StatusUpdates.Messaging;

namespace StatusUpdates.Client.Feeds;

/// <summary>
/// A feed over <c>/ws/status</c>. Concurrency: one reader and, while a token is about to expire, the renewal, which is the only sender.
/// Lifecycle: token -> handshake -> the server's first message -> messages -> disposed, with a closing handshake if the socket is still open.
/// </summary>
internal sealed partial class WebSocketSession : IFeedSession
{
    private const string InvalidToken = "invalid_token";

    // The server answers a close at once, unless it or the network is down.
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private static readonly Backoff RenewalBackoff = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15), Jitter: 0);

    private readonly ApiCaller _api;
    private readonly Uri _address;
    private readonly string? _staleToken;
    private readonly ILogger _logger;
    private readonly ClientWebSocket _socket = new();
    private readonly MessageReader _reader;
    private readonly CancellationTokenSource _ended = new();
    private readonly List<FeedEvent> _events = [];
    private Task _renewal = Task.CompletedTask;
    private string? _offered;
    private int _refusedOffers;

    /// <param name="api">The API.</param>
    /// <param name="relative">Path and query.</param>
    /// <param name="staleToken">A token that must not be used again.</param>
    /// <param name="logger">Where renewals are logged.</param>
    public WebSocketSession(ApiCaller api, string relative, string? staleToken, ILogger logger)
    {
        _api = api;
        _staleToken = staleToken;
        _logger = logger;
        _reader = new(_socket);
        var address = new UriBuilder(api.AddressOf(relative));
        address.Scheme = address.Scheme == Uri.UriSchemeHttps ? Uri.UriSchemeWss : Uri.UriSchemeWs;
        _address = address.Uri;
    }

    public StatusTransport Transport => StatusTransport.WebSocket;

    public FeedPhase Phase { get; private set; }

    public string? Token { get; private set; }

    public async ValueTask<IReadOnlyList<FeedEvent>> NextAsync(CancellationToken cancellationToken)
    {
        _events.Clear();
        if (Phase < FeedPhase.Connected)
        {
            await ConnectAsync(cancellationToken).ConfigureAwait(false);
        }

        while (_events.Count == 0)
        {
            var message = await _reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            Phase = FeedPhase.Receiving;
            Apply(message);
        }

        return _events;
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync().ConfigureAwait(false);
        await _renewal.ConfigureAwait(false);
        await CloseAsync().ConfigureAwait(false);
        _socket.Abort();
        await _reader.EndAsync().ConfigureAwait(false);
        _socket.Dispose();
        _ended.Dispose();
    }

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        Token = await _api.Tokens.GetAsync(_staleToken, cancellationToken).ConfigureAwait(false);
        Phase = FeedPhase.Connecting;
        var options = _api.Options;
        _socket.Options.SetRequestHeader("Authorization", $"Bearer {Token}");
        _socket.Options.KeepAliveInterval = options.KeepAliveInterval;
        _socket.Options.KeepAliveTimeout = options.KeepAliveTimeout;
        using var deadline = new Deadline(options.ConnectTimeout, options.TimeProvider, cancellationToken);
        try
        {
            await _socket.ConnectAsync(_address, _api.UpgradeInvoker, deadline.Token).ConfigureAwait(false);

            // A proxy may switch protocols and then let nothing through: only a message from the server counts.
            Apply(await _reader.ReadAsync(deadline.Token).ConfigureAwait(false));
        }
        catch (WebSocketException e) when (e.InnerException is StatusUpdatesException refused)
        {
            // See UpgradeHandler: this one is more precise than the WebSocketException around it.
            ExceptionDispatchInfo.Throw(refused);
        }
        catch (Exception e) when (deadline.HasPassed && (e is OperationCanceledException or WebSocketException))
        {
            throw new TimeoutException($"The WebSocket was not connected within {options.ConnectTimeout:c}.", e);
        }

        if (_events is not [{ Kind: FeedEventKind.Started }])
        {
            throw StatusUpdatesException.Unexpected("The server's first message was not \"connected\".");
        }

        Phase = FeedPhase.Connected;
    }

    private void Apply(ServerMessage message)
    {
        switch (message)
        {
            case { Type: ServerMessage.StatusUpdate, Payload: { } update }:
                _events.Add(FeedEvent.Of(update));
                break;
            case { Type: ServerMessage.StatusBatch, Payloads: { } updates }:
                _events.AddRange(updates.Select(FeedEvent.Of));
                break;
            case { Type: ServerMessage.Connected, Seq: { } seq }:
                _events.Add(new(FeedEventKind.Started, LogPosition.Of(seq, message.Cursor), UserId: message.UserId));
                break;
            case { Type: ServerMessage.Position, Seq: { } seq }:
                _events.Add(new(FeedEventKind.Position, LogPosition.Of(seq, message.Cursor)));
                break;
            case { Type: ServerMessage.Resync, Seq: { } seq }:
                _events.Add(new(FeedEventKind.Resync, LogPosition.Of(seq, message.Cursor)));
                break;
            case { Type: ServerMessage.TokenExpiring }:
                Renew(Token);
                break;
            case { Type: ServerMessage.Authenticated }:
                Token = _offered ?? Token;
                _refusedOffers = 0;
                break;
            case { Type: ServerMessage.Error, Code: InvalidToken } when _offered is not null:
                _refusedOffers++;
                Renew(_offered);
                break;
            case { Type: ServerMessage.Error }:
                LogError(_logger, message.Code, message.Message);
                break;
            default:
                break;
        }
    }

    private void Renew(string? stale) => _renewal = RenewAsync(_renewal, stale, _refusedOffers);

    // Runs while reading continues. If it fails, the old token remains in use until it expires; then the server closes, and if the provider
    // still throws, the feed throws its exception.
    private async Task RenewAsync(Task previous, string? stale, int attempt)
    {
        await previous.ConfigureAwait(false);
        for (; !_ended.IsCancellationRequested; attempt++)
        {
            try
            {
                if (attempt > 0)
                {
                    await Task.Delay(RenewalBackoff.After(attempt), _api.Options.TimeProvider, _ended.Token).ConfigureAwait(false);
                }

                var fresh = await _api.Tokens.GetAsync(stale, _ended.Token).ConfigureAwait(false);
                if (!string.Equals(fresh, stale, StringComparison.Ordinal))
                {
                    _offered = fresh;
                    var message = JsonSerializer.SerializeToUtf8Bytes(new(fresh), FeedJsonContext.Default.AuthenticateMessage);
                    await _socket.SendAsync(message.AsMemory(), WebSocketMessageType.Text, true, _ended.Token).ConfigureAwait(false);
                    return;
                }
            }
            catch (OperationCanceledException) when (_ended.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (_socket.State != WebSocketState.Open)
            {
                // The reader fails for the same reason.
                LogRenewalFailed(_logger, e);
                return;
            }
            catch (Exception e)
            {
                LogRenewalFailed(_logger, e);
            }
        }
    }

    private async Task CloseAsync()
    {
        if (_socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived))
        {
            return;
        }

        // Clean-up: independent of the caller's token, and on the system clock.
        using var timeout = new CancellationTokenSource(CloseTimeout);
        try
        {
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, timeout.Token).ConfigureAwait(false);

            // Ending before the server has answered would reset the connection, and the close might be lost.
            await _reader.DrainAsync(timeout.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is WebSocketException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            LogNotClosed(_logger, e);
        }
    }

    [LoggerMessage(7011, LogLevel.Warning, "The token could not be renewed on the open connection; the old one stays in use until it expires")]
    private static partial void LogRenewalFailed(ILogger logger, Exception exception);

    [LoggerMessage(7012, LogLevel.Debug, "The server answered {Code}: {Message}")]
    private static partial void LogError(ILogger logger, string? code, string? message);

    [LoggerMessage(7013, LogLevel.Debug, "The connection ended without a closing handshake")]
    private static partial void LogNotClosed(ILogger logger, Exception exception);
}
