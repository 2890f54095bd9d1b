using Microsoft.Extensions.Options;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>What all feeds of an instance share: the log, its concurrency limits, the clock, settings and metrics. Thread-safe.</summary>
internal sealed class FeedContext(
    IFeedLog log, IOptions<FeedOptions> options, TimeProvider time, FeedMetrics metrics, DatabaseWatch database, MessagingWatch messaging) : IDisposable
{
    public IFeedLog Log { get; } = log;

    public FeedOptions Options { get; } = options.Value;

    public TimeProvider Time { get; } = time;

    public FeedMetrics Metrics { get; } = metrics;

    public DatabaseWatch Database { get; } = database;

    public HintWatch Hints { get; } = new(messaging);

    /// <summary>Limits concurrent log reads of connections that are behind or that open with a cursor.</summary>
    public SemaphoreSlim Replays { get; } = new(options.Value.MaxConcurrentReplays);

    /// <summary>Limits concurrent log reads of feeds that repair a gap.</summary>
    public SemaphoreSlim Repairs { get; } = new(options.Value.MaxConcurrentRepairs);

    /// <summary>
    /// Reads the log with a time-out: a connection to a server that has vanished can hang for a long time. What fails is for the caller to report.
    /// </summary>
    /// <exception cref="TimeoutException">It took longer than <see cref="FeedOptions.ReadTimeout"/>.</exception>
    public async Task<T> ReadAsync<T>(Func<CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Options.ReadTimeout, Time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            var result = await read(linked.Token);
            Database.Succeeded();
            return result;
        }
        catch (OperationCanceledException e) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The log could not be read within {Options.ReadTimeout}.", e);
        }
    }

    public void Dispose()
    {
        Replays.Dispose();
        Repairs.Dispose();
    }
}
