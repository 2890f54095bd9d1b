using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Workers;

/// <summary>
/// Listens on Redis for work and for cancel requests, while workers connect to this instance: without them every update of every user would be read here for
/// nothing. What it does not hear, polls find. Thread-safe.
/// </summary>
internal sealed partial class WorkerHints(
    StatusSubscriber subscriber, ClaimDesk desk, StopHints stops, WorkerProtocolOptions options, TimeProvider time, ILogger<WorkerHints> logger)
    : BackgroundService
{
    private readonly SemaphoreSlim _used = new(0, 1);
    private long _lastUse;

    /// <summary>A worker is connected. Never waits.</summary>
    public void Use()
    {
        Volatile.Write(ref _lastUse, time.GetTimestamp());
        if (_used.CurrentCount == 0)
        {
            try
            {
                _used.Release();
            }
            catch (SemaphoreFullException)
            {
                // Another request was faster.
            }
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _used.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await _used.WaitAsync(stoppingToken);
                await ListenAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Waiting claims and heartbeats have ended before.
        }
    }

    private async Task ListenAsync(CancellationToken stoppingToken)
    {
        try
        {
            await using var work = await subscriber.SubscribeAllAsync(desk.Hint, stoppingToken);
            await using var cancels = await subscriber.SubscribeCancelRequestsAsync(stops.Hint, stoppingToken);
            while (options.Linger - time.GetElapsedTime(Volatile.Read(ref _lastUse)) is { Ticks: > 0 } left)
            {
                await Task.Delay(left, time, stoppingToken);
            }
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            // Any failure: polls find what is not heard, and the next request subscribes again.
            LogNotHeard(e.Message);
        }
    }

    [LoggerMessage(4603, LogLevel.Warning, "Could not listen for work and for cancel requests; polls find them later: {Reason}")]
    private partial void LogNotHeard(string reason);
}
