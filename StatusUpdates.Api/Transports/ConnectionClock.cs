namespace StatusUpdates.Api.Transports;

/// <summary>One timer for all connections, once a second, instead of timers of their own, so that idle connections stay small.</summary>
internal sealed class ConnectionClock(ConnectionRegistry registry, TimeProvider time) : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Ticks every connection once.</summary>
    internal void RunOnce()
    {
        var timestamp = time.GetTimestamp();
        var now = time.GetUtcNow();
        foreach (var connection in registry.Connections)
        {
            connection.Tick(timestamp, now);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                RunOnce();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host is stopping.
        }
    }
}
