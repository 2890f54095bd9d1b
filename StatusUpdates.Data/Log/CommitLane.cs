using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>
/// Commits what waits in it, as much as there is by one statement, one statement at a time: while one is under way, what comes gathers for
/// the next. A lone change is sent at once; nothing ever waits for company. What somebody keeps locked is tried again beside the lane, so that
/// the rest of it goes on. Thread-safe.
/// </summary>
internal sealed class CommitLane(StatusDatabase database, BatchWriter writer, int maxBatch, StatusPublisher? publisher)
{
    private const int MostMisunderstandings = 2;

    // Each may wait for a lock with a connection of its own.
    private const int MostBeside = 2;

    private readonly Lock _lock = new();
    private readonly Queue<PendingAppend> _waiting = new();
    private readonly Dictionary<string, Queue<PendingAppend>> _beside = new(StringComparer.Ordinal);
    private readonly Queue<string> _besideInTurn = new();
    private List<PendingAppend> _heldBack = [];
    private bool _isRunning;
    private int _runningBeside;
    private Task _announcing = Task.CompletedTask;

    /// <summary>Ends when Redis has what was committed until now, or has had its time.</summary>
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
    /// On the pool, without the caller's context: what a lane does is done for many. Not before what the pool has to do already, which after
    /// a commit is those who were waiting for it: what they append next is in the next batch.
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

    /// <summary>What goes into the next statement, in the order of arrival; empty ends the run. Of one generation it has one change at most.</summary>
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
            if (append.IsOver)
            {
                return;
            }

            if (_beside.TryGetValue(append.Change.GenerationId, out var behind))
            {
                behind.Enqueue(append);
                return;
            }

            (batch.Count < maxBatch && generations.Add(append.Change.GenerationId) ? batch : heldBack).Add(append);
        }
    }

    /// <summary>Every append has its outcome when this returns, whatever happens: the lane goes on.</summary>
    private async Task CommitOrFailAsync(List<PendingAppend> batch, bool isBeside = false)
    {
        try
        {
            await CommitAsync(batch, isBeside);
        }
        catch (Exception e)
        {
            // Such as a data source that was disposed meanwhile.
            batch.ForEach(append => append.TrySetException(e));
        }
    }

    private async Task CommitAsync(List<PendingAppend> batch, bool isBeside)
    {
        var misunderstandings = 0;
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await WriteAsync(batch);
                return;
            }
            catch (PostgresException e) when (!isBeside && e.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled)
            {
                batch = await LeaveBesideAsync(batch, e);
            }
            catch (NpgsqlException e) when (StatusDatabase.IsWorthRepeating(e))
            {
                StatusDatabase.CountRetry(e);
                batch = KeepWaiting(batch, e);
                if (batch.Count > 0)
                {
                    await database.BackOffAsync(attempt);
                }
            }
            catch (Exception) when (batch.Count > 1)
            {
                // One of them is not to be had; the halves tell which, and the others are none the worse.
                var half = batch.Count / 2;
                await CommitAsync(batch[..half], isBeside);
                await CommitAsync(batch[half..], isBeside);
                return;
            }
            catch (Exception e) when (e is PostgresException or InvalidOperationException || misunderstandings == MostMisunderstandings)
            {
                batch[0].TrySetException(e);
                return;
            }
            catch (Exception)
            {
                // Not said by the database: client and server misunderstand each other, which other connections need not inherit.
                misunderstandings++;
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
            // Without a token: callers may stop waiting, the batch is everybody's.
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

    /// <summary>One statement is a part of the trace of each of its changes.</summary>
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

    /// <summary>Takes out of a batch what waits for locks that somebody keeps.</summary>
    /// <returns>The rest; all of it if that cannot be found out.</returns>
    private async Task<List<PendingAppend>> LeaveBesideAsync(List<PendingAppend> batch, PostgresException failure)
    {
        StatusDatabase.CountRetry(failure);
        IReadOnlySet<string> free;
        try
        {
            free = await writer.FindFreeAsync(batch.Select(append => append.Change), CancellationToken.None);
        }
        catch (NpgsqlException e)
        {
            return KeepWaiting(batch, e);
        }

        var rest = new List<PendingAppend>();
        foreach (var append in batch)
        {
            if (free.Contains(append.Change.GenerationId))
            {
                rest.Add(append);
                continue;
            }

            lock (_lock)
            {
                // From here on what comes for this generation queues up behind it.
                _beside.Add(append.Change.GenerationId, new Queue<PendingAppend>([append]));
                _besideInTurn.Enqueue(append.Change.GenerationId);
                if (_runningBeside == MostBeside)
                {
                    continue;
                }

                _runningBeside++;
            }

            _ = Task.Run(RunBesideAsync);
        }

        return KeepWaiting(rest, failure);
    }

    private async Task RunBesideAsync()
    {
        while (NextGenerationBeside() is { } generationId)
        {
            while (NextBeside(generationId) is { } append)
            {
                await CommitOrFailAsync([append], isBeside: true);
            }
        }
    }

    private string? NextGenerationBeside()
    {
        lock (_lock)
        {
            if (_besideInTurn.TryDequeue(out var generationId))
            {
                return generationId;
            }

            _runningBeside--;
            return null;
        }
    }

    private PendingAppend? NextBeside(string generationId)
    {
        lock (_lock)
        {
            var queue = _beside[generationId];
            while (queue.TryDequeue(out var append))
            {
                if (!append.IsOver)
                {
                    return append;
                }
            }

            _beside.Remove(generationId);
            return null;
        }
    }

    /// <summary>Fails those whose time is up, those that are still in a queue as well.</summary>
    /// <returns>Those of the batch that go on.</returns>
    private List<PendingAppend> KeepWaiting(List<PendingAppend> batch, NpgsqlException failure)
    {
        lock (_lock)
        {
            foreach (var append in batch.Concat(_heldBack).Concat(_waiting).Concat(_beside.Values.SelectMany(queue => queue)))
            {
                if (database.IsTimeUp(append.Since))
                {
                    append.TrySetException(failure);
                }
            }
        }

        return [.. batch.Where(append => !append.IsOver)];
    }

    /// <summary>Sends to Redis in the order of commits; nobody waits for the answer, which is no more than a hint's.</summary>
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
}
