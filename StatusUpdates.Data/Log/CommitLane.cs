using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>
/// Commits what waits in it, as much as there is by one statement, one statement at a time: while one is under way, what comes gathers for
/// the next. A lone change is sent at once; nothing ever waits for company. Thread-safe.
/// </summary>
internal sealed class CommitLane(StatusDatabase database, BatchWriter writer, int maxBatch, StatusPublisher? publisher)
{
    private const int LastTry = 2;

    private readonly Lock _lock = new();
    private readonly Queue<PendingAppend> _waiting = new();
    private List<PendingAppend> _heldBack = [];
    private bool _isRunning;
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
            await CommitAsync(batch);
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

            (batch.Count < maxBatch && generations.Add(append.Change.GenerationId) ? batch : heldBack).Add(append);
        }
    }

    private async Task CommitAsync(List<PendingAppend> batch)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                StatusChange[] changes = [.. batch.Select(append => append.Change)];
                AppendResult[] results;
                using (DataTelemetry.StartAppend(changes))
                {
                    // Without a token: callers may stop waiting, the batch is everybody's.
                    results = await writer.TryWriteAsync(changes, CancellationToken.None);
                }

                Announce(results);
                for (var i = 0; i < results.Length; i++)
                {
                    batch[i].TrySetResult(results[i]);
                }

                return;
            }
            catch (NpgsqlException e) when (StatusDatabase.IsWorthRepeating(e))
            {
                StatusDatabase.CountRetry(e);
                batch = KeepWaiting(batch, e);
                if (batch.Count == 0)
                {
                    return;
                }

                await database.BackOffAsync(attempt);
            }
            catch (Exception) when (batch.Count > 1)
            {
                // One of them is not to be had; the halves tell which, and the others are none the worse.
                var half = batch.Count / 2;
                await CommitAsync(batch[..half]);
                await CommitAsync(batch[half..]);
                return;
            }
            catch (Exception e) when (e is PostgresException or InvalidOperationException || attempt == LastTry)
            {
                batch[0].TrySetException(e);
                return;
            }
            catch (Exception)
            {
                // Not said by the database: client and server misunderstand each other, which other connections need not inherit.
                database.DataSource.Clear();
            }
        }
    }

    /// <summary>Fails those whose time is up, those that are still in the queue as well.</summary>
    /// <returns>Those of the batch that go on.</returns>
    private List<PendingAppend> KeepWaiting(List<PendingAppend> batch, NpgsqlException failure)
    {
        lock (_lock)
        {
            foreach (var append in batch.Concat(_heldBack).Concat(_waiting).Where(append => database.IsTimeUp(append.Since)))
            {
                append.TrySetException(failure);
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
