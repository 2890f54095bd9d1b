using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Feeds;

/// <summary>What all feeds of an instance share: the log, its admission, the clock, settings and metrics. Thread-safe.</summary>
internal sealed class FeedContext(
    IFeedLog log, IOptions<FeedOptions> options, TimeProvider time, FeedMetrics metrics, DatabaseWatch database) : IDisposable
{
    public IFeedLog Log { get; } = log;

    public FeedOptions Options { get; } = options.Value;

    public TimeProvider Time { get; } = time;

    public FeedMetrics Metrics { get; } = metrics;

    public DatabaseWatch Database { get; } = database;

    /// <summary>Places for reads of connections that are behind, or open with a cursor.</summary>
    public SemaphoreSlim Replays { get; } = new(options.Value.MaxConcurrentReplays);

    /// <summary>Places for feeds that close a gap.</summary>
    public SemaphoreSlim Repairs { get; } = new(options.Value.MaxConcurrentRepairs);

    public void Dispose()
    {
        Replays.Dispose();
        Repairs.Dispose();
    }
}
