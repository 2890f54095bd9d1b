using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Cursors;

/// <summary>
/// Claims the cursors of one service that have work, and runs the service for each. Triggered by Redis hints for users whose logs have
/// grown, and by a sweep that compares all cursors with their logs. Several instances share the work; each cursor is claimed by one of them.
/// </summary>
internal sealed partial class CursorRunner(
    ICursorConsumer consumer,
    CursorStore store,
    StatusLog log,
    StatusSubscriber subscriber,
    CursorOptions options,
    TimeProvider time,
    ILogger<CursorRunner> logger,
    IHostApplicationLifetime? lifetime = null) : BackgroundService
{
    private static readonly Backoff ClaimBackoff = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15));
    private static readonly TimeSpan FailedRunPause = TimeSpan.FromSeconds(5);

    // Scanned in a few milliseconds.
    private const int SweepWindow = 10_000;

    private readonly RunningCursors _running = new();
    private long? _sweptAt;
    private string _sweptTo = "";
    private bool _isSweepUnfinished;

    /// <summary>Claims once for the hinted users and, if it is due, once for the sweep, and starts a run for each claimed cursor.</summary>
    /// <param name="stopping">Passed to the runs. The claim itself is not canceled: the cursors it took would be stuck for a lease.</param>
    /// <returns>Whether there may be more to claim right away.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    internal async Task<bool> RunOnceAsync(CancellationToken stopping)
    {
        var more = await ClaimHintedAsync(stopping);
        if (IsSweepDue())
        {
            await SweepAsync(stopping);
        }

        return more;
    }

    // A sweep that ran out of slots continues once a quarter of them is free, which makes each scan worth its cost.
    private bool IsSweepDue() =>
        UntilSweep() <= TimeSpan.Zero && (!_isSweepUnfinished || FreeSlots >= Math.Max(1, options.Slots / 4));

    private int FreeSlots => Math.Max(0, options.Slots - _running.Count.Healthy);

    private async Task<bool> ClaimHintedAsync(CancellationToken stopping)
    {
        if (FreeSlots == 0 || _running.TakeHints() is not { Length: > 0 } hinted)
        {
            return false;
        }

        var request = Request();
        IReadOnlyList<DurableCursor> claimed;
        try
        {
            claimed = await store.ClaimOfUsersAsync(request, hinted, CancellationToken.None);
        }
        catch
        {
            _running.PutBack(hinted);
            throw;
        }

        Start(claimed, stopping);
        if (!IsFull(request, claimed))
        {
            return false;
        }

        // There may be more cursors than slots: claim for these users again when a slot is free.
        _running.PutBack(hinted);
        return true;
    }

    // One window per interval: with more cursors than that, a full sweep takes several intervals, and the statement's cost stays bounded.
    private async Task SweepAsync(CancellationToken stopping)
    {
        var request = Request();
        if (request.Limit + request.TroubledLimit == 0)
        {
            return;
        }

        var started = time.GetTimestamp();
        var (claimed, last) = await store.ClaimNextAsync(request, _sweptTo, SweepWindow, CancellationToken.None);
        Start(claimed, stopping);
        _isSweepUnfinished = IsFull(request, claimed);
        if (!_isSweepUnfinished)
        {
            _sweptTo = last ?? "";
            _sweptAt = started;
        }
    }

    private CursorClaim Request() => new(
        consumer.Kind,
        FreeSlots,
        Math.Max(0, options.TroubledSlots - _running.Count.Troubled),
        options.Lease,
        [.. _running.Snapshot().Select(r => r.Claimed)]);

    private static bool IsFull(CursorClaim request, IReadOnlyList<DurableCursor> claimed) =>
        request.Limit > 0 && claimed.Count(c => !c.IsTroubled) == request.Limit;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Hosted services stop one after the other; with ApplicationStopping the runs here end while earlier services are still stopping.
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(
            stoppingToken, lifetime?.ApplicationStopping ?? CancellationToken.None);
        using var stopped = new CancellationTokenSource();
        var heartbeat = HeartbeatAsync(stopped.Token);
        try
        {
            await using var subscription = await subscriber.SubscribeAllAsync(
                update => _running.Hint(update.UserId, update.Seq ?? 0), stopping.Token);
            await ClaimUntilStoppedAsync(stopping.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopped while subscribing, claiming or waiting.
        }

        // Leases are renewed until the last run has ended. The host's shutdown timeout limits this.
        await _running.EndedAsync();
        await stopped.CancelAsync();
        await heartbeat;
    }

    private async Task ClaimUntilStoppedAsync(CancellationToken stoppingToken)
    {
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            var startedAt = time.GetUtcNow();
            try
            {
                if (!await RunOnceAsync(stoppingToken))
                {
                    await _running.WaitAsync(UntilSweep(), time, stoppingToken);
                }

                failures = 0;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Any error: running cursors continue, and the others are delivered later.
                var pause = ClaimBackoff.After(++failures);
                BackgroundSpans.RecordFailure(DataTelemetry.Source, "claim cursors", startedAt, time.GetUtcNow(), e);
                LogClaimFailed(e is NpgsqlException ? null : e, consumer.Kind, pause, e.Message);
                await Task.Delay(pause, time, stoppingToken);
            }
        }
    }

    private void Start(IReadOnlyList<DurableCursor> claimed, CancellationToken stopping)
    {
        CursorTelemetry.Claimed(consumer.Kind, claimed.Count);
        foreach (var cursor in claimed)
        {
            var run = _running.Add(new HeldCursor(cursor, store, log));

            // On the thread pool: a service that works before its first await must not delay the next claims.
            run.Task = Task.Run(() => RunAsync(run, stopping), CancellationToken.None);
        }
    }

    private async Task RunAsync(CursorRun run, CancellationToken stopping)
    {
        var cursor = run.Cursor;
        try
        {
            await consumer.RunAsync(cursor, stopping);
            if (!cursor.IsReleased)
            {
                await GiveBackAsync(cursor, null);
            }
        }
        catch (Exception e) when (e is CursorLostException || (e is OperationCanceledException && cursor.Lost.IsCancellationRequested))
        {
            CursorTelemetry.Lost(consumer.Kind);
            LogLost(cursor.Owner);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await GiveBackAsync(cursor, null);
        }
        catch (Exception e)
        {
            // The failure affects only this cursor, which is retried.
            CursorTelemetry.Failed(consumer.Kind);
            LogRunFailed(e is NpgsqlException ? null : e, cursor.Owner, e.Message);
            await GiveBackAsync(cursor, Backoff.Spread(FailedRunPause));
        }
        finally
        {
            _running.Remove(run);
            cursor.Dispose();
        }
    }

    private async Task GiveBackAsync(HeldCursor cursor, TimeSpan? pause)
    {
        try
        {
            await store.GiveBackAsync(cursor.Claimed, pause, CancellationToken.None);
        }
        catch (Exception e)
        {
            // Any error: the cursor becomes free when its lease expires.
            LogNotGivenBack(cursor.Owner, e.Message);
        }
    }

    private async Task HeartbeatAsync(CancellationToken cancellationToken)
    {
        for (var answered = true; ;)
        {
            await Task.Delay(options.Lease / (answered ? 3 : 10), time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancellationToken.IsCancellationRequested)
            {
                return;
            }

            answered = await TryRenewAsync(cancellationToken);
        }
    }

    /// <summary>Renews the leases of all running cursors, and stops the runs of lost ones.</summary>
    private async Task<bool> TryRenewAsync(CancellationToken cancellationToken)
    {
        var running = _running.Snapshot();
        if (running.Count == 0)
        {
            return true;
        }

        var startedAt = time.GetUtcNow();
        try
        {
            var held = await store.RenewAsync([.. running.Select(r => r.Claimed)], options.Lease, cancellationToken);

            // A cursor that was released meanwhile ends by itself; any other missing one is lost.
            foreach (var cursor in running.Where(r => !held.Contains(r.Owner) && !r.IsReleased))
            {
                cursor.Lose();
            }

            return true;
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            // This alone loses nothing: saves are fenced by the epoch, not by the lease time.
            if (!cancellationToken.IsCancellationRequested)
            {
                BackgroundSpans.RecordFailure(DataTelemetry.Source, "renew cursors", startedAt, time.GetUtcNow(), e);
            }

            LogNotRenewed(consumer.Kind, e.Message);
            return false;
        }
        catch (Exception e)
        {
            BackgroundSpans.RecordFailure(DataTelemetry.Source, "renew cursors", startedAt, time.GetUtcNow(), e);
            LogRenewFailed(e, consumer.Kind);
            return false;
        }
    }

    private TimeSpan UntilSweep() => _sweptAt is { } last ? options.SweepInterval - time.GetElapsedTime(last) : TimeSpan.Zero;

    [LoggerMessage(2201, LogLevel.Warning, "Cursors of {Kind} could not be claimed; the next try is in {Pause}: {Reason}")]
    private partial void LogClaimFailed(Exception? exception, string kind, TimeSpan pause, string reason);

    [LoggerMessage(2202, LogLevel.Information, "The cursor {Owner} has another holder, or is paused or deleted; its run here ended")]
    private partial void LogLost(string owner);

    [LoggerMessage(2203, LogLevel.Error, "The run of the cursor {Owner} failed and will be repeated: {Reason}")]
    private partial void LogRunFailed(Exception? exception, string owner, string reason);

    [LoggerMessage(2204, LogLevel.Warning, "The cursor {Owner} could not be given back; it is free when its lease expires: {Reason}")]
    private partial void LogNotGivenBack(string owner, string reason);

    [LoggerMessage(2205, LogLevel.Warning, "The leases of cursors of {Kind} could not be renewed: {Reason}")]
    private partial void LogNotRenewed(string kind, string reason);

    [LoggerMessage(2206, LogLevel.Error, "The leases of cursors of {Kind} could not be renewed")]
    private partial void LogRenewFailed(Exception exception, string kind);
}
