using Microsoft.Extensions.Options;
using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Api.Transports;

/// <summary>What all connections of all transports share. Thread-safe.</summary>
internal sealed partial class ConnectionContext(
    IOptions<ConnectionOptions> options, FeedMetrics metrics, TimeProvider time, ILogger<ConnectionContext> logger)
{
    public ConnectionOptions Options { get; } = options.Value;

    public FeedMetrics Metrics { get; } = metrics;

    public TimeProvider Time { get; } = time;

    [LoggerMessage(4201, LogLevel.Debug, "A {Transport} connection ended without a close: {Reason}")]
    public partial void LogLost(string transport, string reason);

    [LoggerMessage(4202, LogLevel.Error, "A {Transport} connection failed")]
    public partial void LogFailed(string transport, Exception exception);

    [LoggerMessage(4203, LogLevel.Information, "A {Transport} connection was aborted: its peer accepted no data for {Timeout}")]
    public partial void LogSlow(string transport, TimeSpan timeout);

    [LoggerMessage(4204, LogLevel.Debug, "A {Transport} connection was aborted: its peer was silent for {Timeout}")]
    public partial void LogDead(string transport, TimeSpan timeout);
}
