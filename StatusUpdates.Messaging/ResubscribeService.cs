using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Messaging;

/// <summary>Retries subscriptions that Redis refused: the client itself retries only when it connects.</summary>
internal sealed class ResubscribeService(StatusSubscriber subscriber, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            {
                await subscriber.ResubscribeAsync(stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }
}
