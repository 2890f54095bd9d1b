using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;

namespace StatusUpdates.Worker.Jobs;

/// <summary>
/// Hears on Redis that running generations were asked to stop, within milliseconds. A message says no more than that it is worth a look: whoever can
/// write to Redis can send one, and the owner's request stands in the database. All that is heard while one look is under way shares the next.
/// </summary>
internal sealed partial class CancelRequests(
    GenerationQueue queue, RunningJobs jobs, WorkerIdentity identity, StatusSubscriber subscriber, ILogger<CancelRequests> logger) : BackgroundService
{
    // As many as may arrive during one look; past that the heartbeat finds them.
    private const int MaxHeard = 1024;

    private readonly Lock _lock = new();
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private HashSet<string> _heard = new(StringComparer.Ordinal);

    /// <summary>Takes a note of what may be held here. Never waits.</summary>
    internal void Hear(string generationId)
    {
        if (!jobs.MayHold(generationId))
        {
            return;
        }

        lock (_lock)
        {
            if (_heard.Count == MaxHeard || !_heard.Add(generationId))
            {
                return;
            }
        }

        _signal.Writer.TryWrite(true);
    }

    /// <summary>Stops those that were heard of and that the database says are to stop.</summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    internal async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        HashSet<string> heard;
        lock (_lock)
        {
            (heard, _heard) = (_heard, new(StringComparer.Ordinal));
        }

        if (heard.Count == 0)
        {
            return;
        }

        foreach (var generationId in await queue.FindCancelRequestsAsync(identity.Owner, heard, cancellationToken))
        {
            jobs.RequestCancel(generationId);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await using var subscription = await subscriber.SubscribeCancelRequestsAsync(Hear, stoppingToken);
            while (await _signal.Reader.ReadAsync(stoppingToken))
            {
                try
                {
                    await RunOnceAsync(stoppingToken);
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    // Whatever it is: the heartbeat finds the request too.
                    LogNotRead(e.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The runner, which was stopped before, has settled what ran.
        }
    }

    [LoggerMessage(3105, LogLevel.Debug, "Whether a cancel was asked for cannot be read now; the heartbeat finds it: {Reason}")]
    private partial void LogNotRead(string reason);
}
