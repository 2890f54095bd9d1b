using Microsoft.Extensions.Options;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>What all WebSocket connections share. Thread-safe.</summary>
internal sealed partial class WebSocketContext(
    IOptions<StatusSocketOptions> options, AccessTokenValidator tokens, FeedMetrics metrics, TimeProvider time, ILogger<WebSocketContext> logger)
{
    /// <summary>The transport's name in metrics.</summary>
    public const string Transport = "websocket";

    public StatusSocketOptions Options { get; } = options.Value;

    public AccessTokenValidator Tokens { get; } = tokens;

    public FeedMetrics Metrics { get; } = metrics;

    public TimeProvider Time { get; } = time;

    [LoggerMessage(4201, LogLevel.Debug, "A WebSocket ended without a close: {Reason}")]
    public partial void LogLost(string reason);

    [LoggerMessage(4202, LogLevel.Error, "A WebSocket failed")]
    public partial void LogFailed(Exception exception);

    [LoggerMessage(4203, LogLevel.Information, "A WebSocket was aborted: its peer took nothing for {Timeout}")]
    public partial void LogSlow(TimeSpan timeout);

    [LoggerMessage(4204, LogLevel.Debug, "A WebSocket was aborted: its peer was silent for {Timeout}")]
    public partial void LogDead(TimeSpan timeout);
}
