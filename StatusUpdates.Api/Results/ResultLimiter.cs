using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.RateLimiting;

namespace StatusUpdates.Api.Results;

/// <summary>How many results are sent to one address at once: each takes memory for as long as its client reads. Thread-safe.</summary>
internal sealed class ResultLimiter(IOptions<RateLimitOptions> options) : IDisposable
{
    private const string Policy = "results";

    // A result is sent in a moment, unless its client takes its time.
    private const string RetryAfterSeconds = "1";

    private readonly PartitionedRateLimiter<string> _places = PartitionedRateLimiter.Create<string, string>(
        address => RateLimitPartition.GetConcurrencyLimiter(address, _ => new() { PermitLimit = options.Value.ResultsPerAddress, QueueLimit = 0 }),
        StringComparer.Ordinal);

    /// <summary>Takes a place of the client's address until the request is over. Without one the answer is the problem to give: 429.</summary>
    public ProblemResult? TryTake(HttpContext context)
    {
        var place = _places.AttemptAcquire(ClientAddress.KeyOf(context.Connection.RemoteIpAddress));
        context.Response.RegisterForDispose(place);
        if (place.IsAcquired)
        {
            return null;
        }

        context.Response.Headers.RetryAfter = RetryAfterSeconds;
        RateLimitTelemetry.Rejected.Add(1, new KeyValuePair<string, object?>("statusupdates.policy", Policy));
        return new(
            StatusCodes.Status429TooManyRequests,
            ProblemCodes.TooManyConnections,
            $"At most {options.Value.ResultsPerAddress} results are sent to one address at once; read those that are on their way first.");
    }

    public void Dispose() => _places.Dispose();
}
