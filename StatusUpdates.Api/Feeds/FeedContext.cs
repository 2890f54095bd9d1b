using Microsoft.Extensions.Options;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>What all feeds of an instance share: the log, its admission, the clock, settings and metrics. Thread-safe.</summary>
internal sealed class FeedContext(
    IFeedLog log, IOptions<FeedOptions> options, TimeProvider time, FeedMetrics metrics, DatabaseWatch database, MessagingWatch messaging) : IDisposable
{
    public IFeedLog Log { get; } = log;

    public FeedOptions Options { get; } = options.Value;

    public TimeProvider Time { get; } = time;

    public FeedMetrics Metrics { get; } = metrics;

    public DatabaseWatch Database { get; } = database;

    public HintWatch Hints { get; } = new(messaging);

    /// <summary>Places for reads of connections that are behind, or open with a cursor.</summary>
    public SemaphoreSlim Replays { get; } = new(options.Value.MaxConcurrentReplays);

    /// <summary>Places for feeds that close a gap.</summary>
    public SemaphoreSlim Repairs { get; } = new(options.Value.MaxConcurrentRepairs);

    /// <summary>Reads the log, and gives up in time: a connection to a server that vanished answers nothing for long.</summary>
    /// <exception cref="TimeoutException">It took longer than <see cref="FeedOptions.ReadTimeout"/>.</exception>
    public async Task<T> ReadAsync<T>(Func<CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Options.ReadTimeout, Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            return await read(either.Token);
        }
        catch (OperationCanceledException e) when (patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
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
