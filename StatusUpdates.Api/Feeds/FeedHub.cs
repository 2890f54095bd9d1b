using StatusUpdates.Data.Log;
using StatusUpdates.Egress;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// The feeds of this instance: one for each user with an open connection, shared by all connections of that user.
/// Concurrency: thread-safe; connections that open at the same time share one opening, and a failed opening is not kept.
/// Lifecycle of a feed: opened with the first connection, kept for <see cref="FeedOptions.Linger"/> after the last, then closed by the
/// sweep. A user who reconnects while the feed closes gets a new one, opened only after the old one is closed: both use the same channel,
/// so a late unsubscribe could end the new subscription too.
/// </summary>
internal sealed partial class FeedHub(FeedContext context, IFeedChannel channel, ILogger<FeedHub> logger) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly KeyedSemaphore _boundsReads = new(slots: 1);
    private bool _disposed;

    /// <summary>Whether the channel that announces updates to feeds is connected.</summary>
    public bool IsChannelConnected => channel.IsConnected;

    /// <summary>The number of open feeds.</summary>
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

    /// <summary>Opens a cursor over a user's log, and the user's feed if it is not open.</summary>
    /// <returns>The cursor. Dispose it.</returns>
    /// <exception cref="System.Data.Common.DbException">The database is unavailable.</exception>
    /// <exception cref="TimeoutException">The database did not respond in time.</exception>
    public async Task<FeedCursor> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
    {
        var feed = await AcquireAsync(request.UserId, cancellationToken);
        try
        {
            var position = request.Since is { } since
                ? await CursorPosition.FindAsync(feed, since, cancellationToken)
                : CursorPosition.AtHead(feed);
            return new FeedCursor(this, context, feed, position, request);
        }
        catch
        {
            Release(feed);
            throw;
        }
    }

    /// <summary>The bounds of a user's log. The read takes a replay slot of this instance, of which a user has one for this at a time.</summary>
    /// <exception cref="System.Data.Common.DbException">The database is unavailable.</exception>
    /// <exception cref="TimeoutException">The database did not respond in time.</exception>
    public Task<LogBounds> ReadBoundsAsync(string userId, CancellationToken cancellationToken) => context.ReadAsync(
        async token =>
        {
            using var turn = await _boundsReads.EnterAsync(userId, token);
            await context.Replays.WaitAsync(token);
            try
            {
                return await context.Log.ReadBoundsAsync(userId, token);
            }
            finally
            {
                context.Replays.Release();
            }
        },
        cancellationToken);

    /// <summary>Releases a cursor's reference to its feed.</summary>
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

    /// <summary>Adds all open feeds to <paramref name="feeds"/>.</summary>
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

    /// <summary>Closes the feeds whose linger time is over, and retries failed subscriptions.</summary>
    internal async Task MaintainAsync()
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
            // Connections that open meanwhile share it, so it does not end with this caller's token.
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

            // Order: subscribe first, then read the head. Updates committed after the read are announced to the subscription; those
            // committed before it are below the head.
            entry.Subscription = channel.SubscribeAsync(userId, entry.Feed.Accept, CancellationToken.None);
            await Task.WhenAny(entry.Subscription, Task.Delay(context.Options.SubscribeWait, context.Time));
            var bounds = await ReadBoundsAsync(userId, CancellationToken.None);
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

            // All current waiters get the exception; the next caller tries again.
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
            // The feed is closed anyway: only ending the subscription can fail here.
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

    [LoggerMessage(4010, LogLevel.Warning, "Could not subscribe to a user's channel; the sweep covers for it until a retry succeeds: {Reason}")]
    private partial void LogNotSubscribed(string reason);

    [LoggerMessage(4011, LogLevel.Warning, "Could not end the subscription of a feed")]
    private partial void LogNotClosed(Exception exception);

    // Guarded by the hub's lock, except for what only the opening and, after it, the sweep access.
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
