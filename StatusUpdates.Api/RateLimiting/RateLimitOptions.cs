using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.RateLimiting;

/// <summary>How many requests this instance takes; configuration section <c>RateLimits</c>.</summary>
internal sealed class RateLimitOptions
{
    public const string SectionName = "RateLimits";

    /// <summary>Of one user. Default 100 a second, 1,000 in a burst.</summary>
    [ValidateObjectMembers]
    public TokenBucketOptions User { get; set; } = new() { PermitsPerSecond = 100, Burst = 1_000 };

    /// <summary>Of one user's submissions, which count as requests too: each is work for others. Default 20 a second, 200 in a burst.</summary>
    [ValidateObjectMembers]
    public TokenBucketOptions Submissions { get; set; } = new() { PermitsPerSecond = 20, Burst = 200 };

    /// <summary>
    /// From one address, whoever it speaks for: counted before tokens are looked at. Default 1,000 a second, 5,000 in a burst, because many
    /// users can share an address.
    /// </summary>
    [ValidateObjectMembers]
    public TokenBucketOptions Address { get; set; } = new() { PermitsPerSecond = 1_000, Burst = 5_000 };

    /// <summary>How many results are sent to one address at once. Default 100: a page of them over one connection.</summary>
    [Range(1, 100_000)]
    public int ResultsPerAddress { get; set; } = 100;
}

/// <summary>A token bucket.</summary>
internal sealed class TokenBucketOptions
{
    /// <summary>How fast it fills.</summary>
    [Range(1, 1_000_000)]
    public int PermitsPerSecond { get; set; }

    /// <summary>How much it holds.</summary>
    [Range(1, 10_000_000)]
    public int Burst { get; set; }
}

[OptionsValidator]
internal sealed partial class RateLimitOptionsValidator : IValidateOptions<RateLimitOptions>;
