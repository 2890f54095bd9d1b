using StatusUpdates.Data.Log;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// The feeds of this instance: one for each user that a connection follows, shared by all of the user's connections.
/// Concurrency: thread-safe; connections that open at the same moment share one opening, and a failed opening is not kept.
/// Lifecycle of a feed: opened with the first connection, kept for <see cref="FeedOptions.Linger"/> after the last, then closed by the
/// sweep. A user who comes back while the feed closes gets a new one, opened after the old one is closed: on one channel a late
/// unsubscribe could take the new subscription with it.
/// </summary>
internal sealed partial class FeedHub(FeedContext context, IFeedChannel channel, ILogger<FeedHub> logger) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private bool _disposed;

    /// <summary>Whether what feeds hear of updates by is there.</summary>
    public bool IsChannelConnected => channel.IsConnected;

    /// <summary>How many feeds are open.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Opens a cursor over a user's log; opens the feed if there is none.</summary>
    /// <returns>The cursor. Dispose it.</returns>
    /// <exception cref="System.Data.Common.DbException">The database did not answer.</exception>
    /// <exception cref="TimeoutException">The database did not answer in time.</exception>
    public async Task<FeedCursor> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
    {
        var feed = await AcquireAsync(request.UserId, cancellationToken);
        try
        {
            var (head, epoch) = feed.Snapshot();
            if (request.Since is not { } since)
            {
                return new FeedCursor(this, feed, epoch, head, head, isCovered: true, request);
            }

            // Order: taken before the log is read, or a log that has grown since would look as if it had shrunk.
            var seen = feed.Seen;
            var page = await InTurnAsync(feed, token => context.Log.ReadAfterAsync(request.UserId, since.Seq, 0, token), cancellationToken);
            var bounds = page.Bounds;
            if (bounds.Last < seen)
            {
                epoch = await StartAnewAsync(feed, epoch, bounds, seen, cancellationToken);
            }

            if (!page.Cursor.Agrees(since))
            {
                // The client followed another log; so may the feed have done.
                feed.Verify();
            }

            feed.NoteSeen(bounds.Last, epoch);
            return page.Continues(since)
                ? new FeedCursor(this, feed, epoch, page.Cursor.Check is null ? since : page.Cursor, bounds.Head, isCovered: true, request)
                : new FeedCursor(this, feed, epoch, since, bounds.Head, isCovered: false, request);
        }
        catch
        {
            Release(feed);
            throw;
        }
    }

    /// <summary>The bounds of a user's log, read in turn with those who replay.</summary>
    /// <exception cref="System.Data.Common.DbException">The database did not answer.</exception>
    /// <exception cref="TimeoutException">The database did not answer in time.</exception>
    public Task<LogBounds> ReadBoundsAsync(string userId, CancellationToken cancellationToken) =>
        InTurnAsync(token => context.Log.ReadBoundsAsync(userId, token), cancellationToken);

    private async Task<T> InTurnAsync<T>(UserFeed feed, Func<CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        if (!await feed.Replays.WaitAsync(context.Options.ReadTimeout, cancellationToken))
        {
            throw new TimeoutException($"Other connections of this user have read the log for {context.Options.ReadTimeout}.");
        }

        try
        {
            return await InTurnAsync(read, cancellationToken);
        }
        finally
        {
            feed.Replays.Release();
        }
    }

    private Task<T> InTurnAsync<T>(Func<CancellationToken, Task<T>> read, CancellationToken cancellationToken) => context.ReadAsync(
        async token =>
        {
            await context.Replays.WaitAsync(token);
            try
            {
                return await read(token);
            }
            finally
            {
                context.Replays.Release();
            }
        },
        cancellationToken);

    /// <summary>Gives a cursor's hold on its feed back.</summary>
    internal void Release(UserFeed feed)
    {
        lock (_gate)
        {
            if (_entries.TryGetValue(feed.UserId, out var entry) && entry.Feed == feed && --entry.References == 0)
            {
                entry.IdleSince = context.Time.GetTimestamp();
            }
        }
    }

    /// <summary>All feeds that are open, into <paramref name="feeds"/>.</summary>
    internal void CopyTo(List<UserFeed> feeds)
    {
        lock (_gate)
        {
            foreach (var entry in _entries.Values)
            {
                if (entry.Opened.Task.IsCompletedSuccessfully && !entry.IsClosing)
                {
                    feeds.Add(entry.Feed);
                }
            }
        }
    }

    /// <summary>Closes the feeds that have lingered, and subscribes again where that failed.</summary>
    internal async Task TendAsync()
    {
        List<Entry>? closing = null;
        List<Entry>? unsubscribed = null;
        lock (_gate)
        {
            foreach (var entry in _entries.Values)
            {
                if (entry.IsClosing || !entry.Opened.Task.IsCompletedSuccessfully)
                {
                    continue;
                }

                if (entry.References == 0 && context.Time.GetElapsedTime(entry.IdleSince) >= context.Options.Linger)
                {
                    entry.IsClosing = true;
                    (closing ??= []).Add(entry);
                }
                else if (entry.Subscription is { IsFaulted: true })
                {
                    (unsubscribed ??= []).Add(entry);
                }
            }
        }

        foreach (var entry in unsubscribed ?? [])
        {
            LogNotSubscribed(entry.Subscription!.Exception!.GetBaseException().Message);
            entry.Subscription = channel.SubscribeAsync(entry.Feed.UserId, entry.Feed.Accept, CancellationToken.None);
        }

        foreach (var entry in closing ?? [])
        {
            await CloseAsync(entry);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Entry[] entries;
        lock (_gate)
        {
            _disposed = true;
            entries = [.. _entries.Values.Where(entry => !entry.IsClosing)];
            foreach (var entry in entries)
            {
                entry.IsClosing = true;
            }
        }

        foreach (var entry in entries)
        {
            await CloseAsync(entry);
        }
    }

    // The feed followed another log than the one that there is now: nothing of that may reach this connection.
    private static async Task<int> StartAnewAsync(
        UserFeed feed, int epoch, LogBounds bounds, long seen, CancellationToken cancellationToken)
    {
        feed.Compare(bounds, seen);
        await feed.Repair.WaitAsync(cancellationToken);
        return feed.Epoch is var now && now != epoch
            ? now
            : throw new TimeoutException("The feed could not be brought into line with the log.");
    }

    private async Task<UserFeed> AcquireAsync(string userId, CancellationToken cancellationToken)
    {
        Entry entry;
        var isFirst = false;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (!_entries.TryGetValue(userId, out entry!) || entry.IsClosing)
            {
                entry = new Entry(new UserFeed(userId, context), entry?.Closed.Task ?? Task.CompletedTask);
                _entries[userId] = entry;
                isFirst = true;
            }

            entry.References++;
        }

        if (isFirst)
        {
            // Shared by whoever comes meanwhile: hence it does not end with this one's token.
            entry.Opening = OpenAsync(entry);
        }

        try
        {
            await entry.Opened.Task.WaitAsync(cancellationToken);
            return entry.Feed;
        }
        catch
        {
            Release(entry.Feed);
            throw;
        }
    }

    private async Task OpenAsync(Entry entry)
    {
        var userId = entry.Feed.UserId;
        try
        {
            await entry.Predecessor;

            // Order: subscribed first, then the head is read. What is committed after the read is announced to the subscription,
            // and what was committed before it is below the head.
            entry.Subscription = channel.SubscribeAsync(userId, entry.Feed.Accept, CancellationToken.None);
            await Task.WhenAny(entry.Subscription, Task.Delay(context.Options.SubscribeWait, context.Time));
            var bounds = await ReadBoundsAsync(userId, CancellationToken.None);
            context.Database.Succeeded();
            entry.Feed.Start(bounds.Head);
            context.Metrics.FeedOpened();
            entry.Opened.SetResult();
        }
        catch (Exception e)
        {
            lock (_gate)
            {
                entry.IsClosing = true;
            }

            // Told to those who wait for it; whoever comes next tries again.
            entry.Opened.SetException(e);
            LogNotOpened(entry.Opened.Task.Exception!.InnerException!.Message);
            await CloseAsync(entry);
        }
    }

    private async Task CloseAsync(Entry entry)
    {
        try
        {
            entry.Feed.Close();
            if (entry.Subscription is { } subscribing)
            {
                await (await subscribing).DisposeAsync();
            }

            await entry.Feed.Repair;
            entry.Feed.Dispose();
        }
        catch (Exception e)
        {
            // The feed is closed all the same: what fails here is the end of a subscription.
            LogNotClosed(e);
        }

        lock (_gate)
        {
            if (_entries.TryGetValue(entry.Feed.UserId, out var current) && current == entry)
            {
                _entries.Remove(entry.Feed.UserId);
            }
        }

        if (entry.Opened.Task.IsCompletedSuccessfully)
        {
            context.Metrics.FeedClosed();
        }

        entry.Closed.SetResult();
    }

    [LoggerMessage(4012, LogLevel.Debug, "A feed could not be opened: {Reason}")]
    private partial void LogNotOpened(string reason);

    [LoggerMessage(4010, LogLevel.Warning, "The channel of a user could not be subscribed to; the sweep stands in and it is tried again: {Reason}")]
    private partial void LogNotSubscribed(string reason);

    [LoggerMessage(4011, LogLevel.Warning, "The subscription of a feed could not be ended")]
    private partial void LogNotClosed(Exception exception);

    // Guarded by the hub's lock, except what only the opening and then the sweep touch.
    private sealed class Entry(UserFeed feed, Task predecessor)
    {
        public UserFeed Feed { get; } = feed;

        public Task Predecessor { get; } = predecessor;

        public int References { get; set; }

        public long IdleSince { get; set; }

        public bool IsClosing { get; set; }

        public Task<IAsyncDisposable>? Subscription { get; set; }

        public Task? Opening { get; set; }

        public TaskCompletionSource Opened { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Closed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
