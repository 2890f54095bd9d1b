using System.Diagnostics;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Bursts;

/// <summary>
/// One run against one server. A burst is committed before it is published, and the next one is appended when every client has received it:
/// the writer cannot limit the deliveries, and nothing is appended while they are timed.
/// </summary>
internal sealed class BurstRun(BenchmarkSystem system, Writer writer, BurstLoad load, ServerProcess server, IDelivery delivery)
{
    private const int BufferSize = 64 * 1024;

    private readonly (LoadUser User, string GenerationId)[] _burst =
    [
        .. Enumerable.Range(0, load.UpdatesPerUser)
            .SelectMany(i => writer.Users.Take(load.Users).Select(user => (user, user.Generations[i]))),
    ];

    public async Task<BurstFigures> RunAsync(TimeSpan warmUp, TimeSpan duration, CancellationToken cancellationToken)
    {
        await using var followers = new Followers();
        await followers.OpenAsync(
            server.Address,
            [.. writer.Users.Take(load.Users).SelectMany(user => Enumerable.Repeat(user, load.SocketsPerUser))],
            system.Token,
            BufferSize,
            cancellationToken);
        await RepeatAsync(followers, warmUp, cancellationToken);
        return await RepeatAsync(followers, duration, cancellationToken);
    }

    private async Task<BurstFigures> RepeatAsync(Followers followers, TimeSpan duration, CancellationToken cancellationToken)
    {
        var (updatesBefore, bytesBefore) = (followers.Updates, followers.Bytes);
        var cpuBefore = system.ReadCpu(server);
        var deliveryCpu = default(CpuReading);
        long appending = 0, delivering = 0, updates = 0;
        var started = Stopwatch.GetTimestamp();
        do
        {
            followers.Expect(load.UpdatesPerUser);
            var appendStarted = Stopwatch.GetTimestamp();
            var burst = await writer.AppendAsync(_burst, cancellationToken);
            var cpu = system.ReadCpu(server);
            var published = Stopwatch.GetTimestamp();
            appending += published - appendStarted;
            await delivery.PublishAsync(burst, cancellationToken);
            delivering += await followers.WhenCompleteAsync(cancellationToken) - published;
            deliveryCpu += system.ReadCpu(server) - cpu;
            updates += burst.Count;
        }
        while (Stopwatch.GetElapsedTime(started) < duration);
        followers.ThrowIfFailed();
        var figures = new BurstFigures
        {
            Deliveries = followers.Updates - updatesBefore,
            Bytes = followers.Bytes - bytesBefore,
            Updates = updates,
            DeliverySeconds = (double)delivering / Stopwatch.Frequency,
            AppendSeconds = (double)appending / Stopwatch.Frequency,
            Cpu = system.ReadCpu(server) - cpuBefore,
            DeliveryCpu = deliveryCpu,
        };
        var expected = updates * load.SocketsPerUser;
        return figures.Deliveries == expected
            ? figures
            : throw new BenchmarkFailedException($"{figures.Deliveries} deliveries were counted, {expected} were expected.");
    }
}
