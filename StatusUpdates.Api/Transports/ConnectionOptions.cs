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

    /// <summary>Origins whose pages may connect, such as <c>https://app.example.com</c>, beside the host itself.</summary>
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
