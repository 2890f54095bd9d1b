namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>What the protocol fixes for <c>/ws/status</c>.</summary>
public sealed class StatusSocketOptions
{
    /// <summary>The maximum size of a client's message, in bytes; a larger one is closed with 1009.</summary>
    public int MaxMessageBytes { get; internal set; } = 4 * 1024;

    /// <summary>The maximum number of messages per second from a client; more are closed with 4429.</summary>
    public int MaxMessagesPerSecond { get; internal set; } = 20;

    /// <summary>How long a peer may be silent until it is pinged.</summary>
    public TimeSpan PingInterval { get; internal set; } = TimeSpan.FromSeconds(14);

    /// <summary>How long a peer may be silent until it counts as dead: with a send that blocks at the very end, under 60 s.</summary>
    public TimeSpan PeerTimeout { get; internal set; } = TimeSpan.FromSeconds(28);
}
