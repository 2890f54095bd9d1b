using System.Data.Common;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Feeds;

/// <summary>A log in memory that can be trimmed, restored to an earlier state, and away. Thread-safe.</summary>
internal sealed class FakeLog : IFeedLog
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (long Oldest, List<StatusUpdate> Items)> _logs = [];
    private long _timestamp = 1_700_000_000_000;
    private int _reads;

    public bool IsAway { get; set; }

    /// <summary>Held by reads of bounds until it is completed; null: they do not wait.</summary>
    public TaskCompletionSource? HoldBounds { get; set; }

    /// <summary>Held by reads of pages, after they have seen the log, until it is completed; null: they do not wait.</summary>
    public TaskCompletionSource? HoldPages { get; set; }

    public int PageReads => Volatile.Read(ref _reads);

    public StatusUpdate Append(string userId, string generationId = "gen-1")
    {
        lock (_gate)
        {
            var (oldest, items) = _logs.GetValueOrDefault(userId, (1, []));
            var update = Feeds.Update(userId, oldest + items.Count, generationId, ++_timestamp);
            items.Add(update);
            _logs[userId] = (oldest, items);
            return update;
        }
    }

    public LogBounds Bounds(string userId)
    {
        lock (_gate)
        {
            return BoundsOf(userId);
        }
    }

    public StatusUpdate At(string userId, long seq)
    {
        lock (_gate)
        {
            var (oldest, items) = _logs[userId];
            return items[(int)(seq - oldest)];
        }
    }

    /// <summary>Retention: removes up to <paramref name="count"/> of the oldest entries.</summary>
    public void Trim(string userId, int count)
    {
        lock (_gate)
        {
            if (_logs.TryGetValue(userId, out var log))
            {
                count = Math.Min(count, log.Items.Count);
                log.Items.RemoveRange(0, count);
                _logs[userId] = (log.Oldest + count, log.Items);
            }
        }
    }

    /// <summary>An older backup: the latest <paramref name="count"/> entries were never written.</summary>
    public void Restore(string userId, int count)
    {
        lock (_gate)
        {
            if (_logs.TryGetValue(userId, out var log))
            {
                count = Math.Min(count, log.Items.Count);
                log.Items.RemoveRange(log.Items.Count - count, count);
            }
        }
    }

    public async Task<LogPage> ReadAfterAsync(string userId, long cursor, int limit, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _reads);
        ThrowIfAway();
        LogPage page;
        lock (_gate)
        {
            page = new LogPage(
                BoundsOf(userId), _logs.TryGetValue(userId, out var log) ? log.Items.Where(u => u.Seq > cursor).Take(limit).ToArray() : []);
        }

        if (HoldPages is { } hold)
        {
            await hold.Task.WaitAsync(cancellationToken);
        }

        return page;
    }

    public Task<IReadOnlyDictionary<string, LogBounds>> ReadBoundsAsync(
        IReadOnlyCollection<string> userIds, CancellationToken cancellationToken)
    {
        ThrowIfAway();
        Assert.InRange(userIds.Count, 1, 1000);
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyDictionary<string, LogBounds>>(
                userIds.Where(_logs.ContainsKey).ToDictionary(id => id, BoundsOf));
        }
    }

    public async Task<LogBounds> ReadBoundsAsync(string userId, CancellationToken cancellationToken)
    {
        if (HoldBounds is { } hold)
        {
            await hold.Task.WaitAsync(cancellationToken);
        }

        ThrowIfAway();
        return Bounds(userId);
    }

    private LogBounds BoundsOf(string userId) => _logs.TryGetValue(userId, out var log)
        ? new LogBounds(log.Oldest, log.Oldest + log.Items.Count - 1)
        : LogBounds.Empty;

    private void ThrowIfAway()
    {
        if (IsAway)
        {
            throw new DatabaseAwayException();
        }
    }

    private sealed class DatabaseAwayException() : DbException("away");
}
