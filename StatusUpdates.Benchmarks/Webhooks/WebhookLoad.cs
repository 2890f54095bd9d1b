using System.Diagnostics;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Webhooks;

/// <summary>Appends updates for users with one webhook each, and waits until all are received.</summary>
internal sealed class WebhookLoad(Writer writer, RedisDelivery redis, Receiver receiver)
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(5);

    // Round-robin over the users, with another generation in each round.
    private readonly (LoadUser User, string GenerationId)[] _generations =
        [.. Enumerable.Range(0, writer.Users[0].Generations.Count).SelectMany(i => writer.Users.Select(user => (user, user.Generations[i])))];

    // A commit has at most one update per generation.
    private readonly int _batch = Math.Min(100, writer.Users.Sum(user => user.Generations.Count));

    private int _next;

    /// <summary>Appends updates as fast as possible, and returns when all are received.</summary>
    public async Task BurstAsync(int count, CancellationToken cancellationToken)
    {
        var expected = receiver.Count + count;
        for (var left = count; left > 0; left -= _batch)
        {
            var updates = await writer.AppendAsync([.. Next(Math.Min(left, _batch))], cancellationToken);
            await redis.PublishAsync(updates, cancellationToken);
        }

        await WaitUntilReceivedAsync(expected, cancellationToken);
    }

    /// <summary>Appends updates at a steady rate, each in its own commit, and returns when all are received.</summary>
    /// <returns>The times from commit to receipt, in ms.</returns>
    public async Task<IReadOnlyList<double>> SteadyAsync(int count, TimeSpan duration, TimeSpan tick, CancellationToken cancellationToken)
    {
        var expected = receiver.Count + count;
        var committed = new List<(StatusUpdate Update, long At)>(count);
        var started = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(tick);
        while (committed.Count < count)
        {
            var due = Math.Min(count, (int)(count * (Stopwatch.GetElapsedTime(started) / duration)) + 1);
            while (committed.Count < due)
            {
                var updates = await writer.AppendAsync([.. Next(1)], cancellationToken);
                committed.Add((updates[0], Stopwatch.GetTimestamp()));
                await redis.PublishAsync(updates, cancellationToken);
            }

            await timer.WaitForNextTickAsync(cancellationToken);
        }

        await WaitUntilReceivedAsync(expected, cancellationToken);
        return [.. committed.Select(c => Stopwatch.GetElapsedTime(c.At, receiver.ReceivedAt($"/{c.Update.UserId}", c.Update.Seq!.Value)!.Value).TotalMilliseconds)];
    }

    private IEnumerable<(LoadUser User, string GenerationId)> Next(int count)
    {
        for (var i = 0; i < count; i++)
        {
            yield return _generations[_next];
            _next = (_next + 1) % _generations.Length;
        }
    }

    private async Task WaitUntilReceivedAsync(int expected, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        while (receiver.Count < expected)
        {
            if (Stopwatch.GetElapsedTime(started) > Timeout)
            {
                throw new BenchmarkFailedException($"{expected - receiver.Count} deliveries did not arrive.");
            }

            await Task.Delay(1, cancellationToken);
        }
    }
}
