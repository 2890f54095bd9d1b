using Microsoft.Extensions.Options;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>What all WebSocket connections share. Thread-safe.</summary>
internal sealed class WebSocketContext(IOptions<StatusSocketOptions> options, AccessTokenValidator tokens, ConnectionContext connections)
{
    /// <summary>The transport's name in metrics and logs.</summary>
    public const string Transport = "websocket";

    public StatusSocketOptions Options { get; } = options.Value;

    public AccessTokenValidator Tokens { get; } = tokens;

    public ConnectionContext Connections { get; } = connections;
}
