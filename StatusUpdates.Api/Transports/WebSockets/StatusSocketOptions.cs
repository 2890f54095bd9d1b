using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>Settings of <c>/ws/status</c>; configuration section <c>Gateway:WebSocket</c>.</summary>
public sealed class StatusSocketOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Gateway:WebSocket";

    /// <summary>The largest message a client may send, in bytes; past that 1009. Default 4 KiB.</summary>
    [Range(125, 1_048_576)]
    public int MaxMessageBytes { get; set; } = 4 * 1024;

    /// <summary>How many messages a client may send in a second; past that 4429. Default 20.</summary>
    [Range(1, 10_000)]
    public int MaxMessagesPerSecond { get; set; } = 20;

    /// <summary>After how long a silence the peer is pinged. Default 14 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan PingInterval { get; set; } = TimeSpan.FromSeconds(14);

    /// <summary>After how long a silence the peer is taken for dead. Default 28 s: with a send that blocks last of all, under 60 s in the worst case.</summary>
    [Range(typeof(TimeSpan), "00:00:02", "02:00:00")]
    public TimeSpan PeerTimeout { get; set; } = TimeSpan.FromSeconds(28);
}

[OptionsValidator]
internal sealed partial class StatusSocketOptionsValidator : IValidateOptions<StatusSocketOptions>;
