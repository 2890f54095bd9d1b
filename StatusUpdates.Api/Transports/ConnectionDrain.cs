using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Transports;

/// <summary>
/// Closes all connections at shutdown, spread over <see cref="ConnectionOptions.DrainTime"/>. Order: it runs before any hosted service
/// stops, and so before the server and the feeds.
/// </summary>
internal sealed partial class ConnectionDrain(
    ConnectionRegistry registry, IOptions<ConnectionOptions> options, TimeProvider time, ILogger<ConnectionDrain> logger) : IHostedLifecycleService
{
    private const int MinClosesPerStep = 10;
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        registry.BeginDrain();
        var connections = registry.Connections.ToArray();
        if (connections.Length == 0)
        {
            return;
        }

        LogDraining(connections.Length);
        try
        {
            await CloseAsync(connections, cancellationToken);
            await Task.WhenAll(connections.Select(connection => connection.Ended)).WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The host's shutdown time-out has expired.
            LogOutOfTime();
            foreach (var connection in connections)
            {
                connection.Abort();
            }
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // A few connections cause no reconnect storm: they are closed without using the whole drain time.
    private async Task CloseAsync(TransportConnection[] connections, CancellationToken cancellationToken)
    {
        var steps = Math.Max(1, (int)(options.Value.DrainTime / Step));
        var perStep = Math.Max(MinClosesPerStep, (connections.Length + steps - 1) / steps);
        var started = time.GetTimestamp();
        foreach (var (index, some) in connections.Chunk(perStep).Index())
        {
            if ((index * Step) - time.GetElapsedTime(started) is { Ticks: > 0 } wait)
            {
                await Task.Delay(wait, time, cancellationToken);
            }

            Array.ForEach(some, connection => connection.Drain());
        }
    }

    [LoggerMessage(4101, LogLevel.Information, "Closing {Connections} connections before shutdown")]
    private partial void LogDraining(int connections);

    [LoggerMessage(4102, LogLevel.Warning, "Connections were cut off because the shutdown time-out expired")]
    private partial void LogOutOfTime();
}
