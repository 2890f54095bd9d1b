using System.Diagnostics;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Latency;

/// <summary>
/// One run against one server. The load is open-loop: updates are appended when they are due, however long earlier ones took. Each of several
/// lanes has its own users, like the batches of a worker; a delayed lane appends everything that is due by then at once.
/// </summary>
internal sealed class LatencyRun(BenchmarkSystem system, Writer writer, LatencyLoad load, ServerProcess server, IDelivery delivery)
{
    private const int Lanes = 4;
    private const int BufferSize = 16 * 1024;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(5);

    public async Task<LatencyFigures> RunAsync(CancellationToken cancellationToken)
    {
        // Twice the expected number: lanes and their users do not progress equally.
        var total = load.WarmUp + load.Duration;
        var capacity = (2 * (int)(load.Rate * total.TotalSeconds / load.Users)) + 16;
        var receipts = writer.Users.ToDictionary(user => user.Id, user => new ReceiptTimes(user.Head, capacity), StringComparer.Ordinal);
        await using var followers = new Followers();
        await followers.OpenAsync(server.Address, writer.Users, system.Token, BufferSize, cancellationToken, receipts);

        var started = Stopwatch.GetTimestamp();
        var lanes = Enumerable.Range(0, Lanes).Select(lane => RunLaneAsync(lane, receipts, started, total, cancellationToken)).ToArray();
        await Task.Delay(load.WarmUp, cancellationToken);
        var (counted, cpu) = (Stopwatch.GetTimestamp(), system.ReadCpu(server));
        var appends = await Task.WhenAll(lanes);
        await followers.WhenCaughtUpAsync(cancellationToken);
        followers.ThrowIfFailed();
        return new LatencyFigures
        {
            Seconds = Stopwatch.GetElapsedTime(counted).TotalSeconds,
            Cpu = system.ReadCpu(server) - cpu,
            Delivery = Distribution.Of(receipts.Values.SelectMany(times => times.DurationsSince(counted)).Select(Milliseconds)),
            Append = Distribution.Of(appends.SelectMany(lane => lane).Where(append => append.At >= counted).Select(append => Milliseconds(append.Took))),
        };
    }

    private async Task<List<(long At, long Took)>> RunLaneAsync(
        int lane,
        Dictionary<string, ReceiptTimes> receipts,
        long started,
        TimeSpan duration,
        CancellationToken cancellationToken)
    {
        LoadUser[] users = [.. writer.Users.Where((_, i) => i % Lanes == lane)];
        var appends = new List<(long, long)>();
        using var timer = new PeriodicTimer(Tick);
        for (var sent = 0; Stopwatch.GetElapsedTime(started) < duration; await timer.WaitForNextTickAsync(cancellationToken))
        {
            var due = (int)(Stopwatch.GetElapsedTime(started).TotalSeconds * load.Rate / Lanes) - sent;
            var batch = Enumerable.Range(sent, Math.Min(due, users.Length)).Select(i => users[i % users.Length])
                .Select(user => (user, user.Generations[0])).ToArray();
            if (batch.Length == 0)
            {
                continue;
            }

            var before = Stopwatch.GetTimestamp();
            var updates = await writer.AppendAsync(batch, cancellationToken);
            var committed = Stopwatch.GetTimestamp();
            appends.Add((committed, committed - before));
            foreach (var update in updates)
            {
                receipts[update.UserId].RecordCommitted(update.Seq!.Value, committed);
            }

            await delivery.PublishAsync(updates, cancellationToken);
            sent += batch.Length;
        }

        return appends;
    }

    private static double Milliseconds(long stopwatchTicks) => stopwatchTicks * 1000.0 / Stopwatch.Frequency;
}
