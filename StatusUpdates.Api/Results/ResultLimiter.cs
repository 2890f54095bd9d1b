using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.RateLimiting;

namespace StatusUpdates.Api.Results;

/// <summary>Limits concurrent downloads of results by one address: each takes memory for as long as its client reads. Thread-safe.</summary>
internal sealed class ResultLimiter(IOptions<RateLimitOptions> options) : IDisposable
{
    private const string Policy = "results";

    private readonly PartitionedRateLimiter<string> _slots = PartitionedRateLimiter.Create<string, string>(
        address => RateLimitPartition.GetConcurrencyLimiter(address, _ => new() { PermitLimit = options.Value.ResultsPerAddress, QueueLimit = 0 }),
        StringComparer.Ordinal);

    /// <summary>Takes a slot for the client's address until the request ends. Returns the 429 problem if there is no slot, else null.</summary>
    public ProblemResult? TryTake(HttpContext context)
    {
        var slot = _slots.AttemptAcquire(ClientAddress.KeyOf(context.Connection.RemoteIpAddress));
        context.Response.RegisterForDispose(slot);
        if (slot.IsAcquired)
        {
            return null;
        }

        RateLimitTelemetry.Rejected.Add(1, new KeyValuePair<string, object?>("statusupdates.policy", Policy));
        return new(
            ProblemCodes.TooManyConnections,
            $"At most {options.Value.ResultsPerAddress} results are sent to one address at once; finish reading those in progress first.")
        {
            // A download is short, unless its client is slow.
            RetryAfter = TimeSpan.FromSeconds(1),
        };
    }

    public void Dispose() => _slots.Dispose();
}
