using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StatusUpdates.Data.Retention;

namespace StatusUpdates.Worker.Retention;

/// <summary>
/// Deletes generations that ended long ago and deliveries that are over, and trims the logs, pass after pass. Of several workers one has a pass at a time. Each step is a
/// short statement, and the database has as long to itself after it as it took: half of one connection is the most that this takes.
/// </summary>
internal sealed partial class RetentionService(
    RetentionStore store, IOptions<RetentionOptions> options, TimeProvider time, ILogger<RetentionService> logger) : BackgroundService
{
    /// <summary>How many logs one statement looks at: their first entries, by primary key.</summary>
    private const int LogsAtOnce = 1000;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);

    // Kept from pass to pass: what was too much is so again.
    private readonly BatchSize _batch = new(options.Value.BatchSize);

    /// <summary>Removes all that is old now.</summary>
    /// <returns>How much that was; null if another worker does it.</returns>
    /// <exception cref="NpgsqlException">The database is away, or refused a step. What was removed before stays removed.</exception>
    internal async Task<Removed?> RunOnceAsync(CancellationToken cancellationToken)
    {
        await using var pass = await store.TryBeginAsync(cancellationToken);
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

        // A generation's messages are of use as long as its updates.
        await RepeatAsync(
            size => pass.ForgetMessagesAsync(settings.Updates, size, cancellationToken), static _ => { }, cancellationToken);
        var removed = new Removed(generations, updates, deliveries, time.GetElapsedTime(started));
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
            for (var failures = 0; ;)
            {
                var pause = settings.Interval;
                var startedAt = time.GetUtcNow();
                try
                {
                    if (await RunOnceAsync(stoppingToken) is { IsNothing: false } removed)
                    {
                        LogRemoved(removed.Generations, removed.Updates, removed.Deliveries, removed.Duration);
                    }

                    failures = 0;
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    // Whatever it is: it is housekeeping, and nothing else stops for it.
                    pause = TimeSpans.Min(FirstPause * (1 << Math.Min(failures++, 10)), settings.Interval);
                    RetentionTelemetry.PassFailed(startedAt, time.GetUtcNow(), e);
                    LogFailed(e is NpgsqlException ? null : e, pause, e.Message);
                }

                // Between a half and the whole, so that workers that were started together do not begin together.
                await Task.Delay(pause * (0.5 + (Random.Shared.NextDouble() / 2)), time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped in a statement or a pause: the next pass goes on.
        }
    }

    private async Task<long> RepeatAsync(Func<int, Task<int>> step, Action<int> count, CancellationToken cancellationToken)
    {
        for (var sum = 0L; ;)
        {
            var size = _batch.Now;
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

    private async Task<long> TrimLogsAsync(RetentionPass pass, CancellationToken cancellationToken)
    {
        var sum = 0L;
        OldLogs old;
        for (var after = ""; ; after = old.Last)
        {
            old = await StepAsync(
                () => pass.FindOldLogsAsync(after, options.Value.Updates, LogsAtOnce, cancellationToken), cancellationToken);
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
            var size = _batch.Now;
            if (await TryStepAsync(() => pass.TrimAsync(logs, options.Value.Updates, size, cancellationToken), cancellationToken) is not (true, { } trimmed))
            {
                if (logs.Count == 1)
                {
                    continue;
                }

                // Many short logs are no fewer entries for a smaller batch of each.
                var half = logs.Count / 2;
                return sum + await TrimAsync(pass, [.. logs.Take(half)], cancellationToken) + await TrimAsync(pass, [.. logs.Skip(half)], cancellationToken);
            }

            var count = trimmed.Sum(log => log.Count);
            RetentionTelemetry.UpdatesRemoved(count);
            sum += count;

            // Whose whole batch was old may have more.
            logs = [.. trimmed.Where(log => log.Count == size).Select(log => log.UserId)];
        }

        return sum;
    }

    // Many short logs together, a long one alone: a statement reads less than two batches.
    private IEnumerable<IReadOnlyCollection<string>> InBatches(IReadOnlyList<LogPart> logs)
    {
        var batch = new List<string>();
        var entries = 0L;
        foreach (var log in logs)
        {
            batch.Add(log.UserId);
            entries += log.Count;
            if (entries >= _batch.Now)
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

    /// <summary>A step that removes; false if it took too long, has removed nothing, and the next one is to be smaller.</summary>
    /// <exception cref="NpgsqlException">The database is away, or one row alone takes too long.</exception>
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
            LogShrunk(_batch.Now);
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

    [LoggerMessage(3301, LogLevel.Information, "Generations are deleted {Generations} after their end, updates removed from the logs after {Updates}")]
    private partial void LogOn(TimeSpan generations, TimeSpan updates);

    [LoggerMessage(3302, LogLevel.Information, "Retention is off: everything is kept")]
    private partial void LogOff();

    [LoggerMessage(3303, LogLevel.Information, "Removed what was old: {Generations} generations, {Updates} updates, {Deliveries} deliveries, in {Duration}")]
    private partial void LogRemoved(long generations, long updates, long deliveries, TimeSpan duration);

    [LoggerMessage(3305, LogLevel.Information, "A statement of retention took too long and removed nothing; the next one removes {Size} rows at most")]
    private partial void LogShrunk(int size);

    [LoggerMessage(3304, LogLevel.Warning, "Retention was interrupted; the next try is in {Pause}: {Reason}")]
    private partial void LogFailed(Exception? exception, TimeSpan pause, string reason);
}

/// <summary>What one pass removed.</summary>
internal sealed record Removed(long Generations, long Updates, long Deliveries, TimeSpan Duration)
{
    public bool IsNothing => Generations == 0 && Updates == 0 && Deliveries == 0;
}
