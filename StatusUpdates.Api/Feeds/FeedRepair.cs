using StatusUpdates.Data.Log;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// Reads the log for a feed, from its head or from where it is in doubt, until all that was requested is done.
/// Concurrency: thread-safe; at most one repair runs, and only a repair applies pages.
/// Lifecycle: closed by <see cref="Close"/>; dispose it when <see cref="Current"/> has ended.
/// </summary>
internal sealed class FeedRepair(FeedContext context, FollowedLog log, WaitList waiting) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _closed = new();
    private Goal _goal;

    // Null: none runs.
    private Task? _current;

    /// <summary>The repair that runs; completed if none does.</summary>
    public Task Current
    {
        get
        {
            lock (_gate)
            {
                return _current ?? Task.CompletedTask;
            }
        }
    }

    /// <summary>Requests that the log is read until the head reaches <paramref name="target"/>.</summary>
    public void Reach(long target) => Request(new(target, null));

    /// <summary>Requests that the log is read from <paramref name="position"/>, or from the head if that is lower.</summary>
    public void VerifyFrom(long position) => Request(new(0, position));

    public void Close() => _closed.Cancel();

    public void Dispose() => _closed.Dispose();

    private void Request(Goal goal)
    {
        lock (_gate)
        {
            _goal = _goal.With(goal);
            if (_current is not null || !log.IsStarted || _closed.IsCancellationRequested || _goal.IsReached(log.Head))
            {
                return;
            }

            // Without the caller's execution context: the repair serves all connections of the feed and outlives this caller's request.
            using (ExecutionContext.SuppressFlow())
            {
                _current = RunAsync(_closed.Token);
            }
        }
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        Goal unanswered = default;
        try
        {
            // The predecessor may still arrive. Yielding is forced because the caller holds the lock.
            await Task.Delay(context.Options.ReorderWait, context.Time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            while (TryBegin(out unanswered))
            {
                await ReadAsync(unanswered, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            End(unanswered);
        }
        catch (Exception e)
        {
            // The sweep requests it again. What failed for another reason would fail the same way, so it is not repeated at once.
            context.Database.Failed(e);
            End(DatabaseWatch.IsRetried(e) ? unanswered : default);
        }
    }

    private async Task ReadAsync(Goal goal, CancellationToken cancellationToken)
    {
        var from = log.Mark(goal.From);
        LogPage page;
        bool isShorter;
        await context.Repairs.WaitAsync(cancellationToken);
        try
        {
            (page, isShorter) = await log.ReadAsync(from.Position.Seq, context.Options.PageSize, cancellationToken);
        }
        finally
        {
            context.Repairs.Release();
        }

        var fits = log.Apply(page, isShorter, from, out var missing);
        waiting.Changed();
        var isEnd = page.Items.Count < context.Options.PageSize;
        lock (_gate)
        {
            _goal = _goal.With(new(Math.Max(missing, isEnd ? 0 : goal.Target), null));
        }

        if (!isEnd && !fits)
        {
            // Reading it again would return the same.
            throw new InvalidOperationException($"The log has a gap after {from.Position.Seq}.");
        }
    }

    /// <summary>Takes what was requested. What is requested from now on is not covered by the read, and kept for the next one.</summary>
    /// <returns>False: all is done, and the repair has ended.</returns>
    private bool TryBegin(out Goal goal)
    {
        lock (_gate)
        {
            goal = _goal;
            if (goal.IsReached(log.Head))
            {
                _current = null;
                return false;
            }

            _goal = default;
            return true;
        }
    }

    private void End(Goal unanswered)
    {
        lock (_gate)
        {
            _current = null;
            _goal = _goal.With(unanswered);
        }
    }

    /// <summary>What was requested.</summary>
    /// <param name="Target">The position that the head must reach.</param>
    /// <param name="From">The position from which the log must be read even if the head is past it; null: none.</param>
    private readonly record struct Goal(long Target, long? From)
    {
        public bool IsReached(long head) => head >= Target && From is null;

        public Goal With(Goal other) => new(
            Math.Max(Target, other.Target), From is { } a && other.From is { } b ? Math.Min(a, b) : From ?? other.From);
    }
}
