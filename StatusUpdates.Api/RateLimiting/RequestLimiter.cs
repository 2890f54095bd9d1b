using System.Threading.RateLimiting;
using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.RateLimiting;

/// <summary>
/// Token buckets by key, with the headers that tell a client its remaining quota (draft-ietf-httpapi-ratelimit-headers): the quota is the
/// burst, its window the time in which an empty bucket refills. Thread-safe; unused buckets are removed after a while.
/// </summary>
/// <param name="name">The policy's name.</param>
/// <param name="what">What is limited, for the error message.</param>
/// <param name="options">The settings of the buckets.</param>
internal sealed class RequestLimiter(string name, string what, TokenBucketOptions options) : IDisposable
{
    private const string PolicyHeader = "RateLimit-Policy";
    private const string StateHeader = "RateLimit";

    private readonly string _policy = $"\"{name}\";q={options.Burst};w={SecondsToFill(options, options.Burst)}";

    private readonly PartitionedRateLimiter<string> _buckets = PartitionedRateLimiter.Create<string, string>(
        key => RateLimitPartition.GetTokenBucketLimiter(key, _ => new()
        {
            TokenLimit = options.Burst,
            TokensPerPeriod = options.PermitsPerSecond,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1),
            QueueLimit = 0,
        }),
        StringComparer.Ordinal);

    /// <summary>Takes a permit of the key and writes the headers. Returns the 429 problem if there is no permit, else null.</summary>
    public ProblemResult? Check(HttpContext context, string key)
    {
        using var lease = _buckets.AttemptAcquire(key);
        var remaining = _buckets.GetStatistics(key)?.CurrentAvailablePermits ?? 0;
        var headers = context.Response.Headers;
        headers.Append(PolicyHeader, _policy);
        if (lease.IsAcquired)
        {
            headers.Append(StateHeader, State(remaining, SecondsToFill(options, options.Burst - remaining)));
            return null;
        }

        var wait = lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(1);
        var seconds = (long)Math.Max(1, Math.Ceiling(wait.TotalSeconds));
        headers.Append(StateHeader, State(0, seconds));
        RateLimitTelemetry.Rejected.Add(1, new KeyValuePair<string, object?>("statusupdates.policy", name));
        return new(ProblemCodes.RateLimited, $"Too many {what}; try again in {seconds} s.") { RetryAfter = TimeSpan.FromSeconds(seconds) };
    }

    public void Dispose() => _buckets.Dispose();

    private string State(long remaining, long seconds) => $"\"{name}\";r={remaining};t={seconds}";

    private static long SecondsToFill(TokenBucketOptions options, long permits) => (permits + options.PermitsPerSecond - 1) / options.PermitsPerSecond;
}
