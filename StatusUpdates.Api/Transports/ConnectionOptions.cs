using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Transports;

/// <summary>Settings of long-lived connections, whatever their transport; configuration section <c>Gateway:Connections</c>.</summary>
public sealed class ConnectionOptions : IValidatableObject
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Gateway:Connections";

    /// <summary>How many connections this instance holds at once; further ones are answered 429. Default 50,000.</summary>
    [Range(1, 10_000_000)]
    public int MaxConnections { get; set; } = 50_000;

    /// <summary>How many of them one user may hold. Default 100.</summary>
    [Range(1, 10_000_000)]
    public int MaxConnectionsPerUser { get; set; } = 100;

    /// <summary>Over how long a shutdown spreads its closes, so that clients do not all come back at once. Default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan DrainTime { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a peer may take no byte of what is sent to it. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan SendTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a connection that is being closed may take to end. Default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan CloseTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often a filtered connection is told its position, and an event stream that it lives. Default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:00:15")]
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>About how long an event stream's client is told to wait before it comes back (<c>retry:</c>); each one half to one and a half of it. Default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:10:00")]
    public TimeSpan ReconnectDelay { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How many bytes of updates go out in one write; a blocked connection holds about this much. Default 8 KiB.</summary>
    [Range(1_024, 65_536)]
    public int WriteBytes { get; set; } = 8 * 1024;

    /// <summary>How much of what it sends a blocked connection holds in this process, in bytes; past that a write waits. Default 16 KiB.</summary>
    [Range(4_096, 1_048_576)]
    public int ResponseBufferBytes { get; set; } = 16 * 1024;

    /// <summary>The system's send buffer of each connection (<c>SO_SNDBUF</c>), in bytes. Default: as the system sees fit.</summary>
    [Range(4_096, 16_777_216)]
    public int? SendBufferBytes { get; set; }

    /// <summary>Origins whose pages may connect, and call the API from a browser, such as <c>https://app.example.com</c>, beside the host itself.</summary>
    public IList<string> AllowedOrigins { get; } = [];

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        for (var i = 0; i < AllowedOrigins.Count; i++)
        {
            if (!OriginPolicy.TryParse(AllowedOrigins[i], out _))
            {
                yield return new ValidationResult(
                    $"Gateway:Connections:AllowedOrigins:{i} must be an origin: http or https, a host, a port if it is not the default, and nothing more.");
            }
        }
    }
}

[OptionsValidator]
internal sealed partial class ConnectionOptionsValidator : IValidateOptions<ConnectionOptions>;
