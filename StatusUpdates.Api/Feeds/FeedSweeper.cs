using StatusUpdates.Data.Log;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// Compares every feed's head with the log, always: whatever Redis does, an update is found within <see cref="FeedOptions.SweepInterval"/>.
/// A log whose head is below a feed's is another log (a restored backup): the feed starts anew and its connections resync.
/// </summary>
internal sealed partial class FeedSweeper(FeedHub hub, FeedContext context, ILogger<FeedSweeper> logger) : BackgroundService
{
    private const int Chunk = 1000;

    // An unanswered sweep must not keep the next ones from noticing that the database is back.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly List<UserFeed> _feeds = [];

    /// <summary>One comparison of all feeds. Not to be called by two at once.</summary>
    internal async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        await hub.TendAsync();
        _feeds.Clear();
        hub.CopyTo(_feeds);
        for (var at = 0; at < _feeds.Count; at += Chunk)
        {
            await SweepAsync(at, Math.Min(Chunk, _feeds.Count - at), cancellationToken);
        }

        _feeds.Clear();
        context.Hints.EndRound(hub.IsChannelConnected);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(context.Options.SweepInterval, context.Time);
        while (await NextAsync(timer, stoppingToken))
        {
            var startedAt = context.Time.GetUtcNow();
            try
            {
                await RunOnceAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (DatabaseWatch.IsAway(e) || e is OperationCanceledException)
            {
                FeedMetrics.SweepFailed(startedAt, context.Time.GetUtcNow(), e);
                context.Database.Failed(e);
            }
            catch (Exception e)
            {
                // The sweep is what makes loss impossible: a fault in one round must not end all later ones.
                FeedMetrics.SweepFailed(startedAt, context.Time.GetUtcNow(), e);
                LogFailed(e);
            }
        }
    }

    private static async ValueTask<bool> NextAsync(PeriodicTimer timer, CancellationToken cancellationToken)
    {
        try
        {
            return await timer.WaitForNextTickAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task SweepAsync(int start, int count, CancellationToken cancellationToken)
    {
        var users = new string[count];
        var seen = new long[count];
        for (var i = 0; i < count; i++)
        {
            // Order: taken before the log is read, or a log that has grown since would look as if it had shrunk.
            users[i] = _feeds[start + i].UserId;
            seen[i] = _feeds[start + i].Seen;
        }

        using var patience = new CancellationTokenSource(Patience, context.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        var bounds = await context.Log.ReadBoundsAsync(users, either.Token);
        context.Database.Succeeded();
        for (var i = 0; i < count; i++)
        {
            var feed = _feeds[start + i];
            feed.Compare(bounds.GetValueOrDefault(feed.UserId, LogBounds.Empty), seen[i]);
            feed.TrimIdle();
        }
    }

    [LoggerMessage(4020, LogLevel.Error, "A sweep of the feeds failed")]
    private partial void LogFailed(Exception exception);
}
