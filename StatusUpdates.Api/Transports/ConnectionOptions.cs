using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Transports;

/// <summary>Long-lived connections of an instance, over all transports. Read by the API.</summary>
public sealed class ConnectionOptions : IValidatableObject
{
    public const string SectionName = "Gateway:Connections";

    /// <summary>How many connections this instance holds at once; more are answered 429, an event stream by an event that says when to come back.</summary>
    [Range(1, 10_000_000)]
    public int MaxConnections { get; set; } = 50_000;

    /// <summary>How many of them one user may hold.</summary>
    [Range(1, 10_000_000)]
    public int MaxConnectionsPerUser { get; set; } = 100;

    /// <summary>How long a shutdown spreads its closes, so that clients do not all reconnect at once.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan DrainTime { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Origins, such as <c>https://app.example.com</c>, whose pages may connect and call the API, in addition to the host itself.</summary>
    public string[] AllowedOrigins { get; set; } = [];

    /// <summary>How long a peer may accept no data until its connection is aborted.</summary>
    public TimeSpan SendTimeout { get; internal set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a closing connection may take to end.</summary>
    public TimeSpan CloseTimeout { get; internal set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often a filtered connection is sent its position, and an event stream a sign of life: the protocol says at least every 15 s.</summary>
    public TimeSpan HeartbeatInterval { get; internal set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long an event stream's client should wait before it reconnects (<c>retry:</c>), ±50 % at random.</summary>
    public TimeSpan ReconnectDelay { get; internal set; } = TimeSpan.FromSeconds(2);

    /// <summary>The maximum bytes of updates in one write; a blocked connection holds about this much.</summary>
    public int WriteBytes { get; internal set; } = 8 * 1024;

    /// <summary>How many bytes of unsent data a blocked connection holds in this process; beyond that a write waits.</summary>
    public int ResponseBufferBytes { get; internal set; } = 16 * 1024;

    /// <summary>The operating system's send buffer of each connection (<c>SO_SNDBUF</c>), in bytes. Null: the system decides.</summary>
    public int? SendBufferBytes { get; internal set; }

    /// <summary>The maximum size of a WebSocket client's message, in bytes; a larger one is closed with 1009.</summary>
    public int MaxMessageBytes { get; internal set; } = 4 * 1024;

    /// <summary>The maximum number of messages per second from a WebSocket client; more are closed with 4429.</summary>
    public int MaxMessagesPerSecond { get; internal set; } = 20;

    /// <summary>How long a WebSocket's peer may be silent until it is pinged.</summary>
    public TimeSpan PingInterval { get; internal set; } = TimeSpan.FromSeconds(14);

    /// <summary>How long a WebSocket's peer may be silent until it counts as dead: with a send that blocks at the very end, under 60 s.</summary>
    public TimeSpan PeerTimeout { get; internal set; } = TimeSpan.FromSeconds(28);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => SectionOptions.InvalidEntries(
        $"{SectionName}:{nameof(AllowedOrigins)}",
        AllowedOrigins,
        origin => OriginPolicy.TryNormalize(origin, out _),
        "an origin: http or https, a host, a port if it is not the default, and nothing more.");
}

[OptionsValidator]
internal sealed partial class ConnectionOptionsValidator : IValidateOptions<ConnectionOptions>;
