using System.Net.Sockets;
using Npgsql;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Feeds;

/// <summary>An in-memory log that can be trimmed, restored to an earlier state, away, or refuse every statement. Thread-safe.</summary>
internal sealed class FakeLog : IFeedLog
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, UserLog> _logs = [];
    private long _timestamp = 1_700_000_000_000;
    private int _reads;

    public bool IsAway { get; set; }

    /// <summary>The statements are wrong, such as after a change of the schema.</summary>
    public bool Refuses { get; set; }

    /// <summary>Reads of bounds wait until this is completed; null: they do not wait.</summary>
    public TaskCompletionSource? HoldBounds { get; set; }

    /// <summary>Reads of pages, after they have read the log, wait until this is completed; null: they do not wait.</summary>
    public TaskCompletionSource? HoldPages { get; set; }

    public int PageReads => Volatile.Read(ref _reads);

    public StatusUpdate Append(string userId, string generationId = "gen-1")
    {
        lock (_gate)
        {
            if (!_logs.TryGetValue(userId, out var log))
            {
                _logs[userId] = log = new();
            }

            var after = log.At(log.Last);
            var update = Feeds.Update(userId, after.Seq + 1, generationId, ++_timestamp) with
            {
                Cursor = new LogPosition(after.Seq + 1, (uint)_timestamp).ToString(),
                After = after.ToString(),
            };
            log.Items.Add(update);
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

    /// <summary>Whether a client at this position can continue from it.</summary>
    public bool Has(string userId, LogPosition position)
    {
        lock (_gate)
        {
            return BoundsOf(userId).Covers(position.Seq) && (!_logs.TryGetValue(userId, out var log) || log.At(position.Seq).Agrees(position));
        }
    }

    public StatusUpdate At(string userId, long seq)
    {
        lock (_gate)
        {
            return _logs[userId].Items[(int)seq - 1];
        }
    }

    /// <summary>Retention: removes up to <paramref name="count"/> of the oldest entries.</summary>
    public void Trim(string userId, int count)
    {
        lock (_gate)
        {
            if (_logs.TryGetValue(userId, out var log))
            {
                log.Oldest = Math.Min(log.Oldest + count, log.Last + 1);
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
                count = (int)Math.Min(count, log.Last - log.Oldest + 1);
                log.Items.RemoveRange(log.Items.Count - count, count);
            }
        }
    }

    public async Task<LogPage> ReadAfterAsync(string userId, long cursor, int limit, CancellationToken cancellationToken)
    {
        var isPage = limit > 0;
        if (isPage)
        {
            Interlocked.Increment(ref _reads);
        }
        else if (HoldBounds is { } holdBounds)
        {
            await holdBounds.Task.WaitAsync(cancellationToken);
        }

        ThrowIfFailing();
        LogPage page;
        lock (_gate)
        {
            page = _logs.TryGetValue(userId, out var log)
                ? new(
                    log.Bounds,
                    cursor >= log.Oldest - 1 ? log.At(cursor) : new(cursor),
                    [.. log.Items.Skip((int)Math.Max(cursor, log.Oldest - 1)).Take(limit).Select(update => update with { After = null })])
                : new(LogBounds.Empty, new(cursor), []);
        }

        if (isPage && HoldPages is { } hold)
        {
            await hold.Task.WaitAsync(cancellationToken);
        }

        return page;
    }

    public Task<IReadOnlyDictionary<string, LogBounds>> ReadBoundsAsync(
        IReadOnlyCollection<string> userIds, CancellationToken cancellationToken)
    {
        ThrowIfFailing();
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

        ThrowIfFailing();
        return Bounds(userId);
    }

    private LogBounds BoundsOf(string userId) => _logs.TryGetValue(userId, out var log) ? log.Bounds : LogBounds.Empty;

    private void ThrowIfFailing()
    {
        if (IsAway)
        {
            throw new NpgsqlException("away", new SocketException());
        }

        if (Refuses)
        {
            throw new PostgresException("column does not exist", "ERROR", "ERROR", PostgresErrorCodes.UndefinedColumn);
        }
    }

    /// <summary>Everything written and not undone by a restore; entries below <see cref="Oldest"/> are trimmed.</summary>
    private sealed class UserLog
    {
        public List<StatusUpdate> Items { get; } = [];

        public long Oldest { get; set; } = 1;

        public long Last => Items.Count;

        public LogBounds Bounds => new(Oldest, Last, At(Last).Check);

        public LogPosition At(long seq) => seq >= 1 && seq <= Last ? Items[(int)seq - 1].Position!.Value : new(seq);
    }
}
