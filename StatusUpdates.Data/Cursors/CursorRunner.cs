using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Cursors;

/// <summary>
/// Claims the cursors of one service that have something to do, and runs the service for each. Woken by Redis for the users whose logs have
/// grown, and by the sweep, which compares all cursors with their logs. Several instances share the work: a cursor is claimed by one.
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
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(15);

    // Looked at in some milliseconds.
    private const int SweepWindow = 10_000;

    private readonly RunningCursors _running = new();
    private long? _sweptAt;
    private string _sweptTo = "";
    private bool _isSweepCut;

    /// <summary>Claims once for the users that were hinted, and once for the sweep if it is due, and starts what it got.</summary>
    /// <param name="stopping">Handed to what is started. The claim itself is not cut short: what it took would be nobody's until its lease ends.</param>
    /// <returns>Whether there may be more to claim at once.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    internal async Task<bool> RunOnceAsync(CancellationToken stopping)
    {
        var more = await ClaimHintedAsync(stopping);
        return (IsSweepDue() && await SweepAsync(stopping)) || more;
    }

    // One that had to stop for want of slots goes on when a good part of them is free: each walk is worth its while then.
    private bool IsSweepDue() =>
        UntilSweep() <= TimeSpan.Zero && (!_isSweepCut || FreeSlots >= Math.Max(1, options.Slots / 4));

    private int FreeSlots => Math.Max(0, options.Slots - _running.Count.Healthy);

    private async Task<bool> ClaimHintedAsync(CancellationToken stopping)
    {
        var hints = FreeSlots > 0 ? _running.TakeHints() : RunningCursors.NoHints;
        if (hints.Count == 0)
        {
            return false;
        }

        var request = Request();
        IReadOnlyList<DurableCursor> claimed;
        try
        {
            claimed = await store.ClaimOfUsersAsync(request, [.. hints.Keys], CancellationToken.None);
        }
        catch
        {
            _running.PutBack(hints);
            throw;
        }

        Start(claimed, stopping);
        if (!IsFull(request, claimed))
        {
            return false;
        }

        // There may be more than slots: they are asked for again when one is free.
        _running.PutBack(hints);
        return true;
    }

    // One window in each interval: of more cursors than that the last are looked at some intervals later, and no statement grows with them.
    private async Task<bool> SweepAsync(CancellationToken stopping)
    {
        var request = Request();
        if (request.Limit + request.TroubledLimit == 0)
        {
            return false;
        }

        var started = time.GetTimestamp();
        var (claimed, last) = await store.ClaimNextAsync(request, _sweptTo, SweepWindow, CancellationToken.None);
        Start(claimed, stopping);
        _isSweepCut = IsFull(request, claimed);
        if (_isSweepCut)
        {
            return false;
        }

        _sweptTo = last ?? "";
        _sweptAt = started;
        return false;
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
        // Services are stopped one after the other: what is under way here ends while others before it are still at it.
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(
            stoppingToken, lifetime?.ApplicationStopping ?? CancellationToken.None);
        using var stopped = new CancellationTokenSource();
        var beat = BeatAsync(stopped.Token);
        try
        {
            await using var subscription = await subscriber.SubscribeAllAsync(
                update => _running.Hint(update.UserId, update.Seq ?? 0), stopping.Token);
            await ClaimUntilStoppedAsync(stopping.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopped while it subscribed, claimed or waited.
        }

        // Leases are kept until the last one is done. The host's shutdown time limits this from outside.
        await _running.EndedAsync();
        await stopped.CancelAsync();
        await beat;
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
                // Whatever it is: what is held goes on, and everybody is told later.
                var pause = MaxPause * Math.Min(1, Math.Pow(2, failures++ - 4)) * Jitter();
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

            // Of its own thread of execution: a service that works before its first await keeps no other from being claimed.
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
        catch (CursorLostException)
        {
            CursorTelemetry.Lost(consumer.Kind);
            LogLost(cursor.Owner);
        }
        catch (OperationCanceledException) when (cursor.Lost.IsCancellationRequested)
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
            // One cursor's fault is its own: the others go on, and it is looked at again.
            CursorTelemetry.Failed(consumer.Kind);
            LogRunFailed(e is NpgsqlException ? null : e, cursor.Owner, e.Message);
            await GiveBackAsync(cursor, TimeSpan.FromSeconds(5) * Jitter());
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
            // Whatever it is: the cursor is free when its lease has run out.
            LogNotGivenBack(cursor.Owner, e.Message);
        }
    }

    private async Task BeatAsync(CancellationToken cancellationToken)
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

    /// <summary>Renews the leases of all that runs, and stops what is lost.</summary>
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

            // Released meanwhile, it ends by itself; else another one has it.
            foreach (var cursor in running.Where(r => !held.Contains(r.Owner) && !r.IsReleased))
            {
                cursor.Lose();
            }

            return true;
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            // Nothing is lost by that alone: what is stored is fenced by the epoch, not by the time.
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

    // Between a half and the whole, so that instances that were started together do not ask together.
    private static double Jitter() => 0.5 + (Random.Shared.NextDouble() / 2);

    [LoggerMessage(2201, LogLevel.Warning, "Cursors of {Kind} could not be claimed; the next try is in {Pause}: {Reason}")]
    private partial void LogClaimFailed(Exception? exception, string kind, TimeSpan pause, string reason);

    [LoggerMessage(2202, LogLevel.Information, "The cursor {Owner} is held by another one, or gone; its run here ended")]
    private partial void LogLost(string owner);

    [LoggerMessage(2203, LogLevel.Error, "The run of the cursor {Owner} failed; it is looked at again: {Reason}")]
    private partial void LogRunFailed(Exception? exception, string owner, string reason);

    [LoggerMessage(2204, LogLevel.Warning, "The cursor {Owner} could not be given back and is free when its lease has run out: {Reason}")]
    private partial void LogNotGivenBack(string owner, string reason);

    [LoggerMessage(2205, LogLevel.Warning, "The leases of cursors of {Kind} could not be renewed: {Reason}")]
    private partial void LogNotRenewed(string kind, string reason);

    [LoggerMessage(2206, LogLevel.Error, "The leases of cursors of {Kind} could not be renewed")]
    private partial void LogRenewFailed(Exception exception, string kind);
}
