using System.Diagnostics;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Webhooks;

/// <summary>Updates for users that each have a webhook, and the wait until all of them have been received.</summary>
internal sealed class WebhookLoad(Writer writer, RedisDelivery redis, Receiver receiver)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    // The users take turns, and in each round it is another generation's.
    private readonly (LoadUser User, string GenerationId)[] _generations =
        [.. Enumerable.Range(0, writer.Users[0].Generations.Count).SelectMany(i => writer.Users.Select(user => (user, user.Generations[i])))];

    // A commit holds one update of a generation at most.
    private readonly int _batch = Math.Min(100, writer.Users.Sum(user => user.Generations.Count));

    private int _at;

    /// <summary>Appends so many as fast as that goes, and returns when all are received.</summary>
    public async Task BurstAsync(int count, CancellationToken cancellationToken)
    {
        var due = receiver.Count + count;
        for (var left = count; left > 0; left -= _batch)
        {
            var updates = await writer.AppendAsync([.. Next(Math.Min(left, _batch))], cancellationToken);
            await redis.PublishAsync(updates, cancellationToken);
        }

        await ReceivedAsync(due, cancellationToken);
    }

    /// <summary>Appends so many at a steady rate, each in a commit of its own, and returns when all are received.</summary>
    /// <returns>From commit to receipt, in ms.</returns>
    public async Task<IReadOnlyList<double>> SteadyAsync(int count, TimeSpan duration, TimeSpan tick, CancellationToken cancellationToken)
    {
        var due = receiver.Count + count;
        var committed = new List<(StatusUpdate Update, long At)>(count);
        var started = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(tick);
        while (committed.Count < count)
        {
            var owed = Math.Min(count, (int)(count * (Stopwatch.GetElapsedTime(started) / duration)) + 1);
            while (committed.Count < owed)
            {
                var updates = await writer.AppendAsync([.. Next(1)], cancellationToken);
                committed.Add((updates[0], Stopwatch.GetTimestamp()));
                await redis.PublishAsync(updates, cancellationToken);
            }

            await timer.WaitForNextTickAsync(cancellationToken);
        }

        await ReceivedAsync(due, cancellationToken);
        return [.. committed.Select(c => Stopwatch.GetElapsedTime(c.At, receiver.ReceivedAt($"/{c.Update.UserId}", c.Update.Seq!.Value)!.Value).TotalMilliseconds)];
    }

    private IEnumerable<(LoadUser User, string GenerationId)> Next(int count)
    {
        for (var i = 0; i < count; i++)
        {
            yield return _generations[_at];
            _at = (_at + 1) % _generations.Length;
        }
    }

    private async Task ReceivedAsync(int due, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        while (receiver.Count < due)
        {
            if (Stopwatch.GetElapsedTime(started) > Patience)
            {
                throw new BenchmarkFailedException($"{due - receiver.Count} deliveries did not come.");
            }

            await Task.Delay(1, cancellationToken);
        }
    }
}
