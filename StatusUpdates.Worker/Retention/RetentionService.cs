using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;
using StatusUpdates.ResultStore;

namespace StatusUpdates.Worker.Retention;

/// <summary>
/// Deletes generations that ended long ago and finished deliveries, removes contents without a result, and trims the logs, pass after pass. Of several
/// workers, one runs a pass at a time.
/// Each step is a short statement, followed by a pause as long as the statement took: retention uses at most half of one connection's time.
/// </summary>
internal sealed partial class RetentionService(
    StatusDatabase database,
    ContentRemovals contents,
    IOptions<RetentionOptions> options,
    TimeProvider time,
    ILogger<RetentionService> logger) : BackgroundService
{
    /// <summary>How many logs one statement checks: their first entries, by primary key.</summary>
    private const int LogsPerCheck = 1000;

    /// <summary>How many contents are removed before the database is told.</summary>
    private const int ContentsPerStep = 100;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);

    // Kept across passes: a size that was too large is too large again.
    private readonly BatchSize _batch = new(options.Value.BatchSize);

    /// <summary>Removes everything that is old now.</summary>
    /// <returns>How much was removed; null if another worker is running a pass.</returns>
    /// <exception cref="NpgsqlException">The database is unavailable, or refused a step. What was removed before stays removed.</exception>
    internal async Task<Removed?> RunOnceAsync(CancellationToken cancellationToken)
    {
        await using var pass = await RetentionPass.TryBeginAsync(database, cancellationToken);
        if (pass is null)
        {
            return null;
        }

        var (started, startedAt) = (time.GetTimestamp(), time.GetUtcNow());
        var settings = options.Value;
        var generations = await RepeatAsync(
            size => pass.DeleteGenerationsAsync(settings.Generations, size, cancellationToken),
            RetentionTelemetry.GenerationsDeleted,
            cancellationToken);
        var updates = await TrimLogsAsync(pass, cancellationToken);
        var deliveries = await RepeatAsync(
            size => pass.DeleteDeliveriesAsync(settings.Deliveries, size, cancellationToken),
            RetentionTelemetry.DeliveriesDeleted,
            cancellationToken);

        // What is stored about a generation's Telegram messages is useful as long as its updates are.
        await RepeatAsync(
            size => pass.DeleteMessagesAsync(settings.Updates, size, cancellationToken), static _ => { }, cancellationToken);

        // Last: a store that is away must not delay what is in the database.
        var removedContents = await RemoveContentsAsync(cancellationToken);
        var removed = new Removed(generations, removedContents, updates, deliveries, time.GetElapsedTime(started));
        RetentionTelemetry.PassEnded(removed, startedAt, time.GetUtcNow());
        return removed;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var settings = options.Value;
        if (!settings.Enabled)
        {
            LogOff();
            return;
        }

        LogOn(settings.Generations, settings.Updates);
        try
        {
            var backoff = new Backoff(FirstPause, settings.Interval);
            for (var failures = 0; ;)
            {
                // Workers that were started together must not begin a pass together.
                var pause = Backoff.Spread(settings.Interval);
                var startedAt = time.GetUtcNow();
                try
                {
                    if (await RunOnceAsync(stoppingToken) is { IsNothing: false } removed)
                    {
                        LogRemoved(removed.Generations, removed.Contents, removed.Updates, removed.Deliveries, removed.Duration);
                    }

                    failures = 0;
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    // Any failure: this is housekeeping, which must not stop anything else.
                    pause = backoff.After(++failures);
                    RetentionTelemetry.PassFailed(startedAt, time.GetUtcNow(), e);
                    LogFailed(e is NpgsqlException ? null : e, pause, e.Message);
                }

                await Task.Delay(pause, time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped in a statement or a pause: the next pass continues.
        }
    }

    private async Task<long> RepeatAsync(Func<int, Task<int>> step, Action<int> count, CancellationToken cancellationToken)
    {
        for (var sum = 0L; ;)
        {
            var size = _batch.Current;
            if (await TryStepAsync(() => step(size), cancellationToken) is not (true, var done))
            {
                continue;
            }

            count(done);
            sum += done;
            if (done < size)
            {
                return sum;
            }
        }
    }

    private async Task<long> RemoveContentsAsync(CancellationToken cancellationToken)
    {
        var sum = 0L;
        var batch = new RemovedContents(0, 0, RemovalPosition.Start, IsLast: false);
        while (!batch.IsLast)
        {
            var after = batch.Last;
            batch = await StepAsync(() => contents.RemoveAsync(after, ContentsPerStep, cancellationToken), cancellationToken);
            sum += batch.Removed;
        }

        return sum;
    }

    private async Task<long> TrimLogsAsync(RetentionPass pass, CancellationToken cancellationToken)
    {
        var sum = 0L;
        OldLogs old;
        for (var after = ""; ; after = old.Last)
        {
            old = await StepAsync(
                () => pass.FindOldLogsAsync(after, options.Value.Updates, LogsPerCheck, cancellationToken), cancellationToken);
            foreach (var logs in InBatches(old.Logs))
            {
                sum += await TrimAsync(pass, logs, cancellationToken);
            }

            if (old.Last is null)
            {
                return sum;
            }
        }
    }

    private async Task<long> TrimAsync(RetentionPass pass, IReadOnlyCollection<string> logs, CancellationToken cancellationToken)
    {
        var sum = 0L;
        while (logs.Count > 0)
        {
            var size = _batch.Current;
            if (await TryStepAsync(() => pass.TrimAsync(logs, options.Value.Updates, size, cancellationToken), cancellationToken) is not (true, { } trimmed))
            {
                if (logs.Count == 1)
                {
                    continue;
                }

                // With many short logs, a smaller batch per log would not mean fewer entries: split the logs instead.
                var half = logs.Count / 2;
                return sum + await TrimAsync(pass, [.. logs.Take(half)], cancellationToken) + await TrimAsync(pass, [.. logs.Skip(half)], cancellationToken);
            }

            var count = trimmed.Sum(log => log.Count);
            RetentionTelemetry.UpdatesRemoved(count);
            sum += count;

            // A log whose whole batch was old may have more.
            logs = [.. trimmed.Where(log => log.Count == size).Select(log => log.UserId)];
        }

        return sum;
    }

    // Many short logs together, a long one alone: a statement reads less than two batches.
    private IEnumerable<IReadOnlyCollection<string>> InBatches(IReadOnlyList<LogEntryCount> logs)
    {
        var batch = new List<string>();
        var entries = 0L;
        foreach (var log in logs)
        {
            batch.Add(log.UserId);
            entries += log.Count;
            if (entries >= _batch.Current)
            {
                yield return batch;
                batch = [];
                entries = 0;
            }
        }

        if (batch.Count > 0)
        {
            yield return batch;
        }
    }

    /// <summary>Runs a step that removes rows; false if it took too long and removed nothing: then the next one is smaller.</summary>
    /// <exception cref="NpgsqlException">The database is unavailable, or one row alone takes too long.</exception>
    private async Task<(bool IsDone, T? Result)> TryStepAsync<T>(Func<Task<T>> step, CancellationToken cancellationToken)
    {
        try
        {
            var result = await StepAsync(step, cancellationToken);
            _batch.Grow();
            return (true, result);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.QueryCanceled && !cancellationToken.IsCancellationRequested && _batch.TryShrink())
        {
            LogShrunk(_batch.Current);
            return (false, default);
        }
    }

    private async Task<T> StepAsync<T>(Func<Task<T>> step, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var result = await step();
        var took = time.GetElapsedTime(started);
        RetentionTelemetry.BatchEnded(took);
        await Task.Delay(took, time, cancellationToken);
        return result;
    }

    [LoggerMessage(3301, LogLevel.Information, "Generations are deleted {Generations} after their end, and updates are removed from the logs after {Updates}")]
    private partial void LogOn(TimeSpan generations, TimeSpan updates);

    [LoggerMessage(3302, LogLevel.Information, "Retention is off: everything is kept")]
    private partial void LogOff();

    [LoggerMessage(3303, LogLevel.Information, "Removed old data: {Generations} generations, {Contents} contents, {Updates} updates, {Deliveries} deliveries, in {Duration}")]
    private partial void LogRemoved(long generations, long contents, long updates, long deliveries, TimeSpan duration);

    [LoggerMessage(3305, LogLevel.Information, "A retention statement took too long and removed nothing; the next one removes at most {Size} rows")]
    private partial void LogShrunk(int size);

    [LoggerMessage(3304, LogLevel.Warning, "Retention was interrupted; the next attempt is in {Pause}: {Reason}")]
    private partial void LogFailed(Exception? exception, TimeSpan pause, string reason);
}
