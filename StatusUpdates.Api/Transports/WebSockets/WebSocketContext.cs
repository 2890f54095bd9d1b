using Microsoft.Extensions.Options;
using StatusUpdates.Api.Security.Bearer;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>What all WebSocket connections share. Thread-safe.</summary>
internal sealed class WebSocketContext(IOptions<StatusSocketOptions> options, AccessTokenValidator tokens, ConnectionContext connections)
{
    public StatusSocketOptions Options { get; } = options.Value;

    public AccessTokenValidator Tokens { get; } = tokens;

    public ConnectionContext Connections { get; } = connections;
}
