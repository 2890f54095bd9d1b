using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.RateLimiting;

/// <summary>Limits of requests, for each instance. Read by the API.</summary>
internal sealed class RateLimitOptions
{
    public const string SectionName = "RateLimits";

    /// <summary>Requests of one user.</summary>
    [ValidateObjectMembers]
    public TokenBucketOptions User { get; set; } = new() { PermitsPerSecond = 100, Burst = 1_000 };

    /// <summary>Submissions of one user, which also count as requests.</summary>
    [ValidateObjectMembers]
    public TokenBucketOptions Submissions { get; set; } = new() { PermitsPerSecond = 20, Burst = 200 };

    /// <summary>Requests from one address, which many users can share; counted before tokens are validated, for loopback not in Development.</summary>
    [ValidateObjectMembers]
    public TokenBucketOptions Address { get; set; } = new() { PermitsPerSecond = 1_000, Burst = 5_000 };

    /// <summary>
    /// Requests by one name of workers, which many workers can share. A worker beats and claims a few times a second at most; the rest is progress.
    /// </summary>
    [ValidateObjectMembers]
    public TokenBucketOptions Workers { get; internal set; } = new() { PermitsPerSecond = 5_000, Burst = 20_000 };

    /// <summary>Concurrent downloads of results by one address: a page of them over one connection.</summary>
    public int ResultsPerAddress { get; internal set; } = 100;
}

/// <summary>A token bucket.</summary>
internal sealed class TokenBucketOptions
{
    /// <summary>The rate.</summary>
    [Range(1, 1_000_000)]
    public int PermitsPerSecond { get; set; }

    /// <summary>How many at once after a pause.</summary>
    [Range(1, 10_000_000)]
    public int Burst { get; set; }
}

[OptionsValidator]
internal sealed partial class RateLimitOptionsValidator : IValidateOptions<RateLimitOptions>;
