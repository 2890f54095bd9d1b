using StatusUpdates.Messaging;
using StatusUpdates.Tests.Webhooks;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>Bad receivers among many healthy ones, and workers that are killed while they deliver.</summary>
[Long]
public sealed class WebhookReceiversTests(TestServers servers)
{
    private const int Healthy = 50;
    private const int Updates = 40;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Bad_receivers_delay_no_healthy_one_and_get_everything_in_order_once_they_recover()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var healthy = await WebhookReceiver.StartAsync();
        await using var bad = await WebhookReceiver.StartAsync();
        await using var down = await WebhookReceiver.StartAsync();
        for (var i = 0; i < Healthy; i++)
        {
            await scene.RegisterAsync(healthy.Url($"healthy-{i}"), $"u{i}");
        }

        // For the same users, so they share their logs.
        string[] troubles = ["error", "hang", "close"];
        foreach (var trouble in troubles)
        {
            for (var i = 0; i < 5; i++)
            {
                await scene.RegisterAsync(bad.Url($"{trouble}-{i}"), $"u{i}");
            }
        }

        await scene.RegisterAsync(down.Url("down"), "u0");
        await down.StopAsync();
        var recovered = new TaskCompletionSource();
        bad.Answer = async (received, context) =>
        {
            if (!recovered.Task.IsCompleted)
            {
                switch (received.Path.Split('-')[0])
                {
                    case "error":
                        return 500;
                    case "close":
                        context.Abort();
                        return 500;
                    default:
                        // Longer than the whole test may take.
                        await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                        return 500;
                }
            }

            return 200;
        };

        // A timeout that does not expire while the healthy receivers are served: those that hang stay stuck.
        await using var worker = await scene.StartWorkerAsync(
            [
                ("Webhooks:Delivery:Timeout", "00:01:00"),
                .. Enumerable.Range(0, 40).Select(i => ($"Webhooks:Delivery:RetryDelays:{i}", "00:00:01")),
            ]);
        var generations = await Task.WhenAll(Enumerable.Range(0, Healthy).Select(async i =>
        {
            var generation = await scene.SubmitAsync($"u{i}");
            await scene.AppendAsync(generation, count: Updates - 2, userId: $"u{i}");
            await scene.AppendAsync(generation, GenerationStatus.Completed, userId: $"u{i}");
            return generation;
        }));

        await Eventually.TrueAsync(() => healthy.Taken.Count == Healthy * Updates);
        Assert.Empty(bad.Taken);
        Assert.All(
            healthy.Taken.GroupBy(r => r.Path), path => Assert.Equal(Enumerable.Range(1, Updates).Select(n => (long)n), path.Select(r => r.Seq)));

        // Ends the hanging requests, as their timeout would.
        await bad.StopAsync();
        await bad.ListenAsync();
        await down.ListenAsync();
        recovered.SetResult();
        await Eventually.TrueAsync(() => bad.Taken.Count >= 15 * Updates && down.Taken.Count >= Updates);

        Assert.All(
            bad.Taken.Concat(down.Taken).GroupBy(r => r.Path),
            path => Assert.Equal(Enumerable.Range(1, Updates).Select(n => (long)n), path.Select(r => r.Seq)));
        Assert.All(
            bad.All.GroupBy(r => (r.Path, r.Seq)), attempts => Assert.Single(attempts.Select(r => (r.Id, r.Body)).Distinct()));
        Assert.Equal(Healthy, generations.Length);
    }

    [Fact]
    public async Task Workers_that_are_killed_while_they_deliver_lose_nothing()
    {
        const int Users = 10;
        const int Kills = 8;
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        for (var i = 0; i < Users; i++)
        {
            await scene.RegisterAsync(receiver.Url($"{i}"), $"u{i}");
        }

        // Each delivery takes a while, so that a kill always hits some in progress.
        receiver.Answer = async (_, context) =>
        {
            await Task.Delay(20, context.RequestAborted);
            return 200;
        };
        // Expires soon after its holder was killed, but not because the machine is slow.
        var settings = WebhookScene.With(("Cursors:Lease", "00:00:05"));
        await using var first = await WorkerProcess.StartAsync(scene.Database, scene.Redis, settings);
        await using var second = await WorkerProcess.StartAsync(scene.Database, scene.Redis, settings);

        var written = 0L;
        var stop = false;
        var writing = Task.WhenAll(Enumerable.Range(0, Users).Select(async i =>
        {
            while (!Volatile.Read(ref stop))
            {
                var generation = await scene.SubmitAsync($"u{i}");
                await scene.AppendAsync(generation, count: 8, userId: $"u{i}");
                await scene.AppendAsync(generation, GenerationStatus.Completed, userId: $"u{i}");
                Interlocked.Add(ref written, 10);
            }
        }));
        for (var kill = 0; kill < Kills; kill++)
        {
            var victim = kill % 2 == 0 ? first : second;
            var before = receiver.All.Count;
            await Eventually.TrueAsync(() => receiver.All.Count > before + 50);
            await victim.KillAsync();
            await victim.Process.StartAsync();
        }

        Volatile.Write(ref stop, true);
        await writing;

        await Eventually.TrueAsync(() => receiver.All.Select(r => (r.Path, r.Seq)).Distinct().Count() == written);
        await scene.Database.UntilAsync(
            "SELECT bool_and(c.last_seq = s.last_seq) FROM durable_cursors c JOIN user_streams s ON s.user_id = c.user_id");
        foreach (var webhook in receiver.All.GroupBy(r => r.Path))
        {
            foreach (var generation in webhook.GroupBy(r => r.GenerationId))
            {
                var seqs = generation.Select(r => r.Seq).Distinct().ToArray();
                Assert.Equal(seqs.Order(), seqs);
            }
        }

        // At most what a killed worker had in progress, for each webhook, was sent again.
        var repeated = receiver.All.Count - written;
        Assert.InRange(repeated, 0, Kills * Users * 2 * 8);
        Assert.All(receiver.All.GroupBy(r => (r.Path, r.Seq)), sent => Assert.Single(sent.Select(r => r.Id).Distinct()));
        Assert.Equal(0L, await scene.Database.ScalarAsync<long>("SELECT count(*) FROM webhook_deliveries WHERE state <> 'delivered'", Token));
        TestContext.Current.TestOutputHelper?.WriteLine($"{written} updates, {repeated} sent again, {Kills} kills");
    }
}
