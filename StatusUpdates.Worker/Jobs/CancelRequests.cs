using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;

namespace StatusUpdates.Worker.Jobs;

/// <summary>
/// Receives hints on Redis that owners asked to cancel running generations, within milliseconds. A hint only causes a check of the database, where the
/// owner's request is stored: anyone who can publish to Redis can send one. Hints that arrive during a check share the next one.
/// </summary>
internal sealed partial class CancelRequests(
    GenerationQueue queue, RunningJobs jobs, StatusSubscriber subscriber, ILogger<CancelRequests> logger) : BackgroundService
{
    // As many as may arrive during one check; beyond that the heartbeat finds the requests.
    private const int MaxHinted = 1024;

    private readonly Lock _lock = new();
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private HashSet<string> _hinted = new(StringComparer.Ordinal);

    /// <summary>Notes a generation for the next check if this worker may hold it. Never waits.</summary>
    internal void Hint(string generationId)
    {
        if (!jobs.MayHold(generationId))
        {
            return;
        }

        lock (_lock)
        {
            if (_hinted.Count == MaxHinted || !_hinted.Add(generationId))
            {
                return;
            }
        }

        _signal.Writer.TryWrite(true);
    }

    /// <summary>Stops the hinted generations that have a cancel request in the database.</summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    internal async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        HashSet<string> hinted;
        lock (_lock)
        {
            (hinted, _hinted) = (_hinted, new(StringComparer.Ordinal));
        }

        if (hinted.Count == 0)
        {
            return;
        }

        foreach (var generationId in await queue.FindCancelRequestsAsync(jobs.Owner, hinted, cancellationToken))
        {
            jobs.RequestCancel(generationId);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await using var subscription = await subscriber.SubscribeCancelRequestsAsync(Hint, stoppingToken);
            while (await _signal.Reader.ReadAsync(stoppingToken))
            {
                try
                {
                    await RunOnceAsync(stoppingToken);
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    // Any failure: the heartbeat also finds the request.
                    LogNotRead(e.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The job runner, which was stopped earlier, has settled all jobs.
        }
    }

    [LoggerMessage(3105, LogLevel.Debug, "Cancel requests could not be read; the heartbeat will find them: {Reason}")]
    private partial void LogNotRead(string reason);
}
