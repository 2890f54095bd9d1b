using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>
/// Commits queued changes by one statement at a time: changes that arrive meanwhile are batched for the next one. A single change is sent at
/// once; none waits for a batch to fill. Changes whose rows somebody keeps locked are set aside and retried separately, while the lane continues
/// with the others. Thread-safe.
/// </summary>
internal sealed class CommitLane(StatusDatabase database, BatchWriter writer, int maxBatch, StatusPublisher? publisher)
{
    private const int MaxProtocolErrors = 2;

    // Each may wait for a lock, on a connection of its own.
    private const int MaxBlockedRunners = 2;

    private readonly Lock _lock = new();
    private readonly Queue<PendingAppend> _waiting = new();
    private readonly Dictionary<LockedRow, Queue<PendingAppend>> _blocked = [];
    private readonly Queue<LockedRow> _blockedRows = new();
    private List<PendingAppend> _heldBack = [];
    private bool _isRunning;
    private int _blockedRunners;
    private Task _announcing = Task.CompletedTask;

    /// <summary>Completes when Redis has received what was committed until now, or the publisher has given up.</summary>
    public Task Announced => Volatile.Read(ref _announcing);

    public void Enqueue(PendingAppend append)
    {
        lock (_lock)
        {
            _waiting.Enqueue(append);
            if (_isRunning)
            {
                return;
            }

            _isRunning = true;
        }

        Schedule();
    }

    /// <summary>
    /// Runs on the thread pool, without the caller's execution context, because it works for many callers. Queued behind the pool's earlier work
    /// items: after a commit these are its callers, whose next changes then join the next batch.
    /// </summary>
    private void Schedule() => ThreadPool.UnsafeQueueUserWorkItem(static lane => _ = lane.RunAsync(), this, preferLocal: false);

    private async Task RunAsync()
    {
        if (Take() is { Count: > 0 } batch)
        {
            await CommitOrFailAsync(batch);
            Schedule();
        }
    }

    /// <summary>Takes the next batch, in order of arrival, with at most one change per generation; an empty one ends the run.</summary>
    private List<PendingAppend> Take()
    {
        var batch = new List<PendingAppend>();
        var generations = new HashSet<string>(StringComparer.Ordinal);
        lock (_lock)
        {
            var heldBack = new List<PendingAppend>();
            foreach (var append in _heldBack)
            {
                Add(append, heldBack);
            }

            while (batch.Count < maxBatch && _waiting.TryDequeue(out var append))
            {
                Add(append, heldBack);
            }

            _heldBack = heldBack;
            _isRunning = batch.Count > 0;
            return batch;
        }

        void Add(PendingAppend append, List<PendingAppend> heldBack)
        {
            if (append.IsCompleted)
            {
                return;
            }

            if (_blocked.Count > 0 && FindBlockedQueue(append.Change) is { } behind)
            {
                behind.Enqueue(append);
                return;
            }

            (batch.Count < maxBatch && generations.Add(append.Change.GenerationId) ? batch : heldBack).Add(append);
        }
    }

    /// <summary>The queue of the locked row that a change must wait for, in order of arrival; null if there is none.</summary>
    private Queue<PendingAppend>? FindBlockedQueue(StatusChange change) =>
        _blocked.TryGetValue(LockedRow.Generation(change), out var queue) || (LockedRow.Log(change) is { } log && _blocked.TryGetValue(log, out queue))
            ? queue
            : null;

    /// <summary>Every append has its outcome when this returns, whatever happens, and the lane continues.</summary>
    private async Task CommitOrFailAsync(List<PendingAppend> batch, bool isSetAside = false)
    {
        try
        {
            await CommitAsync(batch, isSetAside);
        }
        catch (Exception e)
        {
            // For example, the data source was disposed of meanwhile.
            batch.ForEach(append => append.TrySetException(e));
        }
    }

    private async Task CommitAsync(List<PendingAppend> batch, bool isSetAside)
    {
        var protocolErrors = 0;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await WriteAsync(batch);
                return;
            }
            catch (PostgresException e) when (!isSetAside && e.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled)
            {
                batch = await SetBlockedAsideAsync(batch, e);
            }
            catch (NpgsqlException e) when (StatusDatabase.ShouldRetry(e))
            {
                StatusDatabase.CountRetry(e);
                batch = FailExpired(batch, e);
                if (batch.Count > 0)
                {
                    await database.BackOffAsync(attempt);
                }
            }
            catch (Exception) when (batch.Count > 1)
            {
                // One of the changes fails; halving the batch isolates it from the others.
                var half = batch.Count / 2;
                await CommitAsync(batch[..half], isSetAside);
                await CommitAsync(batch[half..], isSetAside);
                return;
            }
            catch (Exception e) when (e is PostgresException or InvalidOperationException || protocolErrors == MaxProtocolErrors)
            {
                batch[0].TrySetException(e);
                return;
            }
            catch (Exception)
            {
                // Not an error from the database: client and server are out of sync, so new connections replace the pooled ones.
                protocolErrors++;
                database.DataSource.Clear();
            }

            if (batch.Count == 0)
            {
                return;
            }
        }
    }

    private async Task WriteAsync(List<PendingAppend> batch)
    {
        StatusChange[] changes = [.. batch.Select(append => append.Change)];
        var startedAt = database.Spans.Begin();
        AppendResult[] results;
        try
        {
            // No token: callers may stop waiting, but the batch belongs to all of them.
            results = await writer.TryWriteAsync(changes, CancellationToken.None);
        }
        catch (Exception e) when (startedAt is not null)
        {
            Record(changes, startedAt, failure: e);
            throw;
        }

        Record(changes, startedAt, results);
        Announce(results);
        for (var i = 0; i < results.Length; i++)
        {
            batch[i].TrySetResult(results[i]);
        }
    }

    /// <summary>Records the statement in the trace of each of its changes.</summary>
    private void Record(StatusChange[] changes, DateTimeOffset? startedAt, AppendResult[]? results = null, Exception? failure = null)
    {
        for (var i = 0; startedAt is not null && i < changes.Length; i++)
        {
            using var span = database.Spans.Record("append", changes[i].TraceParent, startedAt);
            if (span is null)
            {
                continue;
            }

            span.SetTag("statusupdates.generation.id", changes[i].GenerationId)
                .SetTag("statusupdates.status", changes[i].Status.ToWireName())
                .SetTag("statusupdates.batch.size", changes.Length)
                .SetTag("statusupdates.refusal", results?[i].Refusal?.ToString());
            if (failure is not null)
            {
                BackgroundSpans.SetFailure(span, failure);
            }
        }
    }

    /// <summary>Moves changes whose rows somebody keeps locked out of a batch, into queues of their own.</summary>
    /// <returns>The rest; the whole batch if the locks cannot be determined.</returns>
    private async Task<List<PendingAppend>> SetBlockedAsideAsync(List<PendingAppend> batch, PostgresException failure)
    {
        StatusDatabase.CountRetry(failure);
        IReadOnlyDictionary<string, (bool Generation, bool Log)> locked;
        try
        {
            locked = await writer.FindLockedAsync(batch.Select(append => append.Change), CancellationToken.None);
        }
        catch (NpgsqlException e)
        {
            return FailExpired(batch, e);
        }

        var rest = new List<PendingAppend>();
        foreach (var append in batch)
        {
            // A generation that no longer exists is set aside too: a statement of its own refuses the change.
            var (isLocked, isLogLocked) = locked.GetValueOrDefault(append.Change.GenerationId, (Generation: true, Log: false));
            if (!isLocked && !isLogLocked)
            {
                rest.Add(append);
                continue;
            }

            lock (_lock)
            {
                // From now on, changes of this generation, or of this log, queue up behind this one.
                var row = isLogLocked && LockedRow.Log(append.Change) is { } log ? log : LockedRow.Generation(append.Change);
                if (_blocked.TryGetValue(row, out var behind))
                {
                    behind.Enqueue(append);
                    continue;
                }

                _blocked.Add(row, new Queue<PendingAppend>([append]));
                _blockedRows.Enqueue(row);
                if (_blockedRunners == MaxBlockedRunners)
                {
                    continue;
                }

                _blockedRunners++;
            }

            _ = Task.Run(RunBlockedAsync);
        }

        return FailExpired(rest, failure);
    }

    private async Task RunBlockedAsync()
    {
        while (NextBlockedRow() is { } row)
        {
            while (NextBlocked(row) is { } append)
            {
                await CommitOrFailAsync([append], isSetAside: true);
            }
        }
    }

    private LockedRow? NextBlockedRow()
    {
        lock (_lock)
        {
            if (_blockedRows.TryDequeue(out var row))
            {
                return row;
            }

            _blockedRunners--;
            return null;
        }
    }

    private PendingAppend? NextBlocked(LockedRow row)
    {
        lock (_lock)
        {
            var queue = _blocked[row];
            while (queue.TryDequeue(out var append))
            {
                if (!append.IsCompleted)
                {
                    return append;
                }
            }

            _blocked.Remove(row);
            return null;
        }
    }

    /// <summary>Fails the appends whose retry time has passed, including queued ones.</summary>
    /// <returns>The batch without those that have ended.</returns>
    private List<PendingAppend> FailExpired(List<PendingAppend> batch, NpgsqlException failure)
    {
        lock (_lock)
        {
            foreach (var append in batch.Concat(_heldBack).Concat(_waiting).Concat(_blocked.Values.SelectMany(queue => queue)))
            {
                if (database.IsTimeUp(append.Since))
                {
                    append.TrySetException(failure);
                }
            }
        }

        return [.. batch.Where(append => !append.IsCompleted)];
    }

    /// <summary>Publishes to Redis in commit order, without waiting: a message is only a hint.</summary>
    private void Announce(AppendResult[] results)
    {
        if (publisher is null)
        {
            return;
        }

        var updates = new List<StatusUpdate>(results.Length);
        foreach (var result in results)
        {
            if (result.Update is { } update)
            {
                updates.Add(update);
            }
        }

        Volatile.Write(ref _announcing, publisher.TryPublishAsync(updates));
    }

    /// <summary>A row that somebody keeps locked: a generation, or a user's log, which blocks all generations of that user.</summary>
    private readonly record struct LockedRow(string Id, bool IsLog)
    {
        public static LockedRow Generation(StatusChange change) => new(change.GenerationId, IsLog: false);

        public static LockedRow? Log(StatusChange change) => change.UserId is { } userId ? new(userId, IsLog: true) : null;
    }
}
