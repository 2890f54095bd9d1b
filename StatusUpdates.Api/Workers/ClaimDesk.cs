using System.Diagnostics;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Workers;

/// <summary>
/// Claims for workers that connect to the API, by the same queue as our own. A claim that finds nothing waits in the line of its tasks. Once a claim has
/// been sent to the database, nothing ends the wait for its outcome: what it takes is held by the worker. Thread-safe.
/// </summary>
internal sealed partial class ClaimDesk(
    GenerationQueue queue,
    StatusLog log,
    StatusPublisher publisher,
    GenerationTypes types,
    WorkerMetrics metrics,
    WorkerProtocolOptions options,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<ClaimDesk> logger)
{
    // Bounds claims that follow each other at once and find only users whose work is not due yet.
    private const int MaxEmptyClaims = 16;

    // Beyond that, lines without claims are forgotten.
    private const int MaxLines = 64;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, ClaimLine> _lines = new(StringComparer.Ordinal);

    /// <summary>Notes a generation that has become pending, and wakes a claim in each line that may take it.</summary>
    public void Hint(StatusUpdate update)
    {
        if (update.Status != GenerationStatus.Pending)
        {
            return;
        }

        ClaimLine[] lines;
        lock (_lock)
        {
            lines = [.. _lines.Values.Where(line => line.MayTake(update.Type))];
        }

        queue.Hint(update, [.. lines.SelectMany(line => line.TasksOf(update.Type)).Distinct(StringComparer.Ordinal)]);
        if (update.Metadata?.RetryAt is not null)
        {
            // Due later: found by the poll.
            return;
        }

        Array.ForEach(lines, line => line.Wake());
    }

    /// <summary>Claims; if there is nothing to do, waits for it.</summary>
    /// <param name="request">The claim; whether it sweeps is decided here.</param>
    /// <param name="wait">How long.</param>
    /// <param name="gone">The client has disconnected: nothing more is claimed for it.</param>
    /// <returns>What the worker holds now; none after the wait, or when this instance stops.</returns>
    public async Task<IReadOnlyList<ClaimedGeneration>> ClaimAsync(ClaimRequest request, TimeSpan wait, CancellationToken gone)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(gone, lifetime.ApplicationStopping);
        var line = Enter(request.Tasks);
        try
        {
            return await ClaimAsync(line, request, wait, over.Token);
        }
        finally
        {
            line.Leave();
        }
    }

    /// <summary>Hands back what a worker was granted but did not get; no failure is counted.</summary>
    public async Task HandBackAsync(string owner, IReadOnlyList<ClaimedGeneration> claimed)
    {
        if (claimed.Count == 0)
        {
            return;
        }

        try
        {
            // No token: the worker is gone, and the leases would keep its generations until they expire.
            var results = await log.AppendAsync(
                [
                    .. claimed.Select(generation => new StatusChange
                    {
                        GenerationId = generation.Id,
                        UserId = generation.UserId,
                        Status = GenerationStatus.Pending,
                        Attempt = generation.Attempt,
                        LeaseOwner = owner,
                        TraceParent = generation.TraceParent,
                    }),
                ],
                CancellationToken.None);
            metrics.HandedBack(results.Count(result => result.IsCommitted));
            LogHandedBack(owner, claimed.Count);
        }
        catch (Exception e)
        {
            // Any failure: the worker's next heartbeat shows them, or their leases expire.
            LogNotHandedBack(owner, claimed.Count, e);
        }
    }

    private async Task<IReadOnlyList<ClaimedGeneration>> ClaimAsync(ClaimLine line, ClaimRequest request, TimeSpan wait, CancellationToken over)
    {
        var startedAt = time.GetTimestamp();
        var isWoken = false;
        for (var empty = 1; ; empty++)
        {
            var missed = line.Missed;
            var (result, isIncomplete) = await ClaimOnceAsync(line, request);
            if (result.Claimed.Count > 0)
            {
                if (isIncomplete)
                {
                    line.Wake();
                }

                return result.Claimed;
            }

            if (isWoken && IsLimited(request))
            {
                // It may have been something that only another worker has room for.
                line.Wake();
            }

            if (isIncomplete && empty < MaxEmptyClaims && !over.IsCancellationRequested)
            {
                continue;
            }

            var left = wait - time.GetElapsedTime(startedAt);
            isWoken = left > TimeSpan.Zero && !over.IsCancellationRequested && await line.WaitAsync(missed, left, over);
            if (over.IsCancellationRequested && isWoken)
            {
                line.Wake();
            }

            if (over.IsCancellationRequested || !isWoken)
            {
                return [];
            }

            empty = 0;
        }
    }

    private async Task<(ClaimResult Result, bool IsIncomplete)> ClaimOnceAsync(ClaimLine line, ClaimRequest request)
    {
        // What is claimed belongs to the traces of its generations, not to the request that waits for it.
        Activity.Current = null;
        var sweep = line.TakeSweep();
        var isSwept = false;
        try
        {
            var result = await queue.ClaimAsync(request with { Sweep = sweep }, CancellationToken.None);
            isSwept = result.IsSwept;

            // Announced before the work begins: its own updates must not overtake this one on Redis.
            await publisher.TryPublishAsync(result.Updates);
            metrics.Claimed(result.Claimed);
            return (result, result.MayHaveMore || (sweep && !isSwept));
        }
        finally
        {
            if (sweep && !isSwept)
            {
                line.SweepAgain();
            }
        }
    }

    // Whether work may be waiting only for a slot that this worker does not have.
    private static bool IsLimited(ClaimRequest request) =>
        request.TaskLimits.Any(limit => limit.Value.Free < request.Limit)
        || request.Held.GroupBy(held => held.UserId, StringComparer.Ordinal).Any(user => user.Sum(held => held.Count) >= request.UserLimit);

    private ClaimLine Enter(IReadOnlyList<string> tasks)
    {
        var key = string.Join(' ', tasks.Order(StringComparer.Ordinal));
        lock (_lock)
        {
            if (!_lines.TryGetValue(key, out var line))
            {
                foreach (var (other, _) in _lines.Where(other => _lines.Count >= MaxLines && other.Value.IsEmpty).ToList())
                {
                    _lines.Remove(other);
                }

                _lines.Add(key, line = new(tasks, types, options, time));
            }

            line.Enter();
            return line;
        }
    }

    [LoggerMessage(4601, LogLevel.Information, "{Count} generations go back to the queue: worker {Owner} disconnected before it got them")]
    private partial void LogHandedBack(string owner, int count);

    [LoggerMessage(4602, LogLevel.Warning, "{Count} generations that worker {Owner} did not get could not be handed back; their leases will expire")]
    private partial void LogNotHandedBack(string owner, int count, Exception exception);
}
