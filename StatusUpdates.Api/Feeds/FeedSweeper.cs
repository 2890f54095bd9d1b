using StatusUpdates.Data.Log;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// Periodically compares every feed's head with the log, so an update is found within <see cref="FeedOptions.SweepInterval"/> even if Redis fails.
/// A log whose head is below what a feed has seen, or that has another update at a feed's head, is another log (a restored backup): the feed reads it
/// and starts over, and its cursors check their positions. Each pass begins with the hub's housekeeping.
/// </summary>
internal sealed partial class FeedSweeper(FeedHub hub, FeedContext context, ILogger<FeedSweeper> logger) : BackgroundService
{
    private const int ChunkSize = 1000;

    // For one chunk; a chunk that takes longer ends the pass. A pass that hangs would delay the next ones, which detect that the database is back.
    private static readonly TimeSpan ChunkTimeout = TimeSpan.FromSeconds(5);

    // Reused, so that each pass does not allocate a list of all feeds.
    private readonly List<UserFeed> _feeds = [];

    /// <summary>One pass over all feeds. Must not run concurrently.</summary>
    internal async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        await hub.MaintainAsync();
        _feeds.Clear();
        hub.CopyTo(_feeds);
        for (var at = 0; at < _feeds.Count; at += ChunkSize)
        {
            await SweepAsync(at, Math.Min(ChunkSize, _feeds.Count - at), cancellationToken);
        }

        _feeds.Clear();
        context.Hints.EndSweep(hub.IsChannelConnected);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(context.Options.SweepInterval, context.Time);
        while (true)
        {
            var startedAt = default(DateTimeOffset);
            try
            {
                await timer.WaitForNextTickAsync(stoppingToken);
                startedAt = context.Time.GetUtcNow();
                await RunOnceAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The sweep guarantees that no update is lost: a failure in one pass must not end all later ones.
                FeedMetrics.SweepFailed(startedAt, context.Time.GetUtcNow(), e);

                // Canceled, but not by the host: the sweep's time-out.
                if (DatabaseWatch.IsRetried(e) || e is OperationCanceledException)
                {
                    context.Database.Failed(e);
                }
                else
                {
                    LogFailed(e);
                }
            }
        }
    }

    private async Task SweepAsync(int start, int count, CancellationToken cancellationToken)
    {
        var users = new string[count];
        var seen = new long[count];
        for (var i = 0; i < count; i++)
        {
            // Order: before the log is read; otherwise a log that grows in between would look as if it had shrunk.
            users[i] = _feeds[start + i].UserId;
            seen[i] = _feeds[start + i].Log.Seen;
        }

        using var timeout = new CancellationTokenSource(ChunkTimeout, context.Time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        var bounds = await context.Log.ReadBoundsAsync(users, linked.Token);
        context.Database.Succeeded();
        for (var i = 0; i < count; i++)
        {
            var feed = _feeds[start + i];
            feed.Compare(bounds.GetValueOrDefault(feed.UserId, LogBounds.Empty), seen[i]);
            feed.Log.TrimIdle();
        }
    }

    [LoggerMessage(4020, LogLevel.Error, "A sweep of the feeds failed")]
    private partial void LogFailed(Exception exception);
}
