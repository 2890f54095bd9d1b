using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Messaging;

/// <summary>Subscribes again where Redis had refused it: the client itself tries again only when it connects.</summary>
internal sealed class SubscriptionTender(StatusSubscriber subscriber, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            {
                await subscriber.TendAsync(stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }
}
