using System.Collections.Concurrent;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Egress;
using StatusUpdates.Webhooks.Deliveries;

namespace StatusUpdates.Tests.Webhooks;

/// <summary>What is attempted, repeated and given up while a receiver is down, refuses or is slow.</summary>
public sealed class FailingReceiverTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_failed_delivery_is_repeated_with_the_same_id_and_body_and_delays_only_its_generation()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url());
        await using var worker = await scene.StartWorkerAsync();
        var held = await scene.SubmitAsync();
        var free = await scene.SubmitAsync();
        await Eventually.TrueAsync(() => receiver.Taken.Count == 2);
        var open = new TaskCompletionSource();
        receiver.Answer = (r, _) => Task.FromResult(r.GenerationId == held && !open.Task.IsCompleted ? 503 : 200);

        await scene.AppendAsync(held, count: 3);
        await scene.AppendAsync(free, count: 3);

        await Eventually.TrueAsync(() => receiver.Taken.Count(r => r.GenerationId == free) == 4);
        await Eventually.TrueAsync(() => receiver.All.Count(r => r.GenerationId == held) > 3);
        Assert.Equal(1, receiver.Taken.Count(r => r.GenerationId == held));
        open.SetResult();
        await Eventually.TrueAsync(() => receiver.Taken.Count == 8);

        Assert.Equal([1L, 3, 4, 5], receiver.Taken.Where(r => r.GenerationId == held).Select(r => r.Seq));
        foreach (var attempts in receiver.All.GroupBy(r => r.Seq))
        {
            Assert.Single(attempts.Select(r => (r.Id, r.Body)).Distinct());
        }

        await scene.Database.UntilAsync("SELECT count(*) = 8 FROM webhook_deliveries WHERE state = 'delivered'");
        var retried = DeliveryAttempts.Parse(await scene.Database.ScalarAsync<string>(
            "SELECT attempts::text FROM webhook_deliveries WHERE seq = 3", Token));
        Assert.Equal(503, retried[0].StatusCode);
        Assert.Equal("It answered 503.", retried[0].Error);
        Assert.Equal(200, retried[^1].StatusCode);
        Assert.Equal(Enumerable.Range(1, retried.Count), retried.Select(a => a.Attempt));
    }

    [Fact]
    public async Task A_receiver_that_is_down_gets_few_attempts_and_gets_everything_in_order_when_it_is_back()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url());
        receiver.Answer = (_, _) => Task.FromResult(500);
        await using var worker = await scene.StartWorkerAsync(
            [.. Enumerable.Range(0, 9).Select(i => ($"Webhooks:Delivery:RetryDelays:{i}", i == 0 ? "00:00:00.2" : "00:00:01"))]);
        var generations = new List<string>();
        for (var i = 0; i < 40; i++)
        {
            generations.Add(await scene.SubmitAsync());
        }

        foreach (var generation in generations)
        {
            await scene.AppendAsync(generation, count: 2);
        }

        await Eventually.TrueAsync(() => receiver.All.Count >= 10);

        // 120 updates of 40 generations: not all of them were attempted.
        Assert.InRange(receiver.All.Select(r => r.GenerationId).Distinct().Count(), 1, 20);
        await scene.Database.UntilAsync("SELECT troubled AND not_before > now() FROM durable_cursors");
        receiver.Answer = (_, _) => Task.FromResult(200);

        await Eventually.TrueAsync(() => receiver.Taken.Select(r => r.Seq).Distinct().Count() == 120);
        foreach (var generation in generations)
        {
            var seqs = receiver.Taken.Where(r => r.GenerationId == generation).Select(r => r.Seq).ToArray();
            Assert.Equal(seqs.Order(), seqs);
        }

        await scene.Database.UntilAsync("SELECT last_seq = 120 AND NOT troubled FROM durable_cursors");
        await scene.Database.UntilAsync("SELECT failing_since IS NULL FROM webhooks");
    }

    [Fact]
    public async Task A_receiver_gets_no_attempts_for_as_long_as_its_Retry_After_says()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url());
        receiver.Answer = (_, context) =>
        {
            context.Response.Headers.RetryAfter = "6";
            return Task.FromResult(receiver.All.Count == 1 ? 429 : 200);
        };
        await using var worker = await scene.StartWorkerAsync();

        await scene.SubmitAsync();
        await Eventually.TrueAsync(() => receiver.All.Count == 1);
        await scene.Database.UntilAsync("SELECT not_before > now() + interval '1 second' FROM durable_cursors");
        await scene.SubmitAsync();

        await Eventually.TrueAsync(() => receiver.Taken.Count == 2);
        Assert.True(receiver.All[1].At - receiver.All[0].At >= TimeSpan.FromSeconds(5.9), $"{receiver.All[1].At - receiver.All[0].At}");
    }

    [Fact]
    public async Task A_webhook_that_answers_410_is_disabled_and_continues_from_its_cursor_when_enabled()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        var (id, _) = await scene.RegisterAsync(receiver.Url());
        receiver.Answer = (_, _) => Task.FromResult(410);
        await using var worker = await scene.StartWorkerAsync();
        var generation = await scene.SubmitAsync();
        await scene.Database.UntilAsync("SELECT disabled_reason = 'gone' AND disabled_at IS NOT NULL FROM webhooks");
        await scene.Database.UntilAsync("SELECT paused AND lease_expires_at IS NULL FROM durable_cursors");
        var asked = receiver.All.Count;
        receiver.Answer = (_, _) => Task.FromResult(200);
        await scene.AppendAsync(generation, count: 4);

        await scene.EnableAsync(id);

        await Eventually.TrueAsync(() => receiver.Taken.Count == 5);
        Assert.Equal([1L, 2, 3, 4, 5], receiver.Taken.Select(r => r.Seq));
        Assert.Equal(asked, receiver.All.Count - 5);
    }

    [Fact]
    public async Task A_webhook_that_fails_every_attempt_is_disabled_and_loses_nothing()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        var (id, _) = await scene.RegisterAsync(receiver.Url());
        receiver.Answer = (_, _) => Task.FromResult(500);
        await using var worker = await scene.StartWorkerAsync();
        var generation = await scene.SubmitAsync();
        await scene.AppendAsync(generation, count: 2);

        await scene.Database.UntilAsync("SELECT disabled_reason = 'failing' FROM webhooks");
        Assert.Equal(10, receiver.All.Count);
        Assert.True(await scene.Database.ScalarAsync<bool>("SELECT bool_and(state = 'pending') FROM webhook_deliveries", Token));
        Assert.True(await scene.Database.ScalarAsync<bool>("SELECT failing_since IS NOT NULL FROM webhooks", Token));
        receiver.Answer = (_, _) => Task.FromResult(200);
        await scene.EnableAsync(id);

        await Eventually.TrueAsync(() => receiver.Taken.Count == 3);
        Assert.Equal([1L, 2, 3], receiver.Taken.Select(r => r.Seq));
    }

    [Fact]
    public async Task A_message_that_a_healthy_receiver_never_accepts_is_given_up_and_the_rest_continues()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url());
        receiver.Answer = (r, _) => Task.FromResult(r.Seq == 3 ? 422 : 200);
        await using var worker = await scene.StartWorkerAsync();
        var poisoned = await scene.SubmitAsync();
        var other = await scene.SubmitAsync();
        await scene.AppendAsync(poisoned, count: 2);
        do
        {
            // Something gets through now and then.
            await scene.AppendAsync(other);
        }
        while (await scene.Database.ScalarAsync<bool>("SELECT count(*) = 0 FROM webhook_deliveries WHERE state = 'failed'", Token));

        await Eventually.TrueAsync(() => receiver.Taken.Any(r => r.Seq == 4));
        Assert.Equal(10, receiver.All.Count(r => r.Seq == 3));
        Assert.True(await scene.Database.ScalarAsync<bool>("SELECT disabled_at IS NULL FROM webhooks", Token));
    }

    [Theory]
    [InlineData(422)]
    [InlineData(500)]
    public async Task Several_messages_that_a_healthy_receiver_never_accepts_block_no_others(int refusal)
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url(), statuses: ["pending"]);
        receiver.Answer = (r, _) => Task.FromResult(r.Seq <= 5 ? refusal : 200);

        // From the second failure on, the next attempt is an hour away.
        await using var worker = await scene.StartWorkerAsync(
            [.. Enumerable.Range(1, 8).Select(i => ($"Webhooks:Delivery:RetryDelays:{i}", "01:00:00"))]);
        for (var i = 0; i < 5; i++)
        {
            await scene.SubmitAsync();
        }

        await Eventually.TrueAsync(() => receiver.All.Select(r => r.Seq).Distinct().Count() >= (refusal == 422 ? 5 : 3));
        for (var i = 0; i < 5; i++)
        {
            await scene.SubmitAsync();
        }

        if (refusal == 500)
        {
            // The receiver seems to be down until a message is tried that it accepts.
            await scene.Database.ExecuteAsync("UPDATE durable_cursors SET not_before = NULL", Token);
            await scene.Database.UntilAsync(
                "UPDATE durable_cursors SET not_before = NULL RETURNING (SELECT count(*) = 5 FROM webhook_deliveries WHERE state = 'delivered')");
        }

        await Eventually.TrueAsync(() => receiver.Taken.Count == 5);
        Assert.Equal([6L, 7, 8, 9, 10], receiver.Taken.Select(r => r.Seq).Order());
    }

    [Fact]
    public async Task The_deliveries_that_wait_behind_one_generation_are_bounded_and_the_rest_continues_when_there_is_room()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url());
        var held = await scene.SubmitAsync();
        var open = new TaskCompletionSource();
        receiver.Answer = (r, _) => Task.FromResult(r.GenerationId == held && !open.Task.IsCompleted ? 422 : 200);
        await scene.AppendAsync(held, count: 300);
        var other = await scene.SubmitAsync();
        await scene.AppendAsync(other, count: 5);

        // At most ten rows may wait (ten times the setting), give or take a page.
        await using var worker = await scene.StartWorkerAsync(
            ("Webhooks:Delivery:MaxPending", "1"),
            ("Webhooks:Delivery:RetryDelays:0", "00:00:01"));
        await Eventually.TrueAsync(() => receiver.All.Count >= 3);
        Assert.InRange(await scene.Database.ScalarAsync<long>("SELECT count(*) FROM webhook_deliveries", Token), 1, 120);
        open.SetResult();

        await Eventually.TrueAsync(() => receiver.Taken.Count == 307);
        Assert.Equal(Enumerable.Range(1, 301).Select(i => (long)i), receiver.Taken.Where(r => r.GenerationId == held).Select(r => r.Seq));
    }

    [Fact]
    public async Task A_slow_receiver_gives_its_slot_back_and_still_gets_everything()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var slow = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(slow.Url());
        slow.Answer = async (_, context) =>
        {
            await Task.Delay(TimeSpan.FromSeconds(2.1), context.RequestAborted);
            return 200;
        };
        await using var worker = await scene.StartWorkerAsync();
        var generation = await scene.SubmitAsync();
        await scene.AppendAsync(generation, count: 2);

        await Eventually.TrueAsync(() => slow.Taken.Count == 3);
        await scene.Database.UntilAsync("SELECT troubled AND last_seq = 3 AND lease_expires_at IS NULL FROM durable_cursors");
        slow.Answer = (_, _) => Task.FromResult(200);

        // It is fast again, as far as the machine is: one answer in time is enough.
        for (var seq = 4; await scene.Database.ScalarAsync<bool>("SELECT troubled FROM durable_cursors", Token); seq++)
        {
            await scene.AppendAsync(generation);
            await scene.Database.UntilAsync($"SELECT last_seq = {seq} AND lease_expires_at IS NULL FROM durable_cursors");
        }
    }

    [Fact]
    public async Task A_receiver_that_acknowledges_first_and_then_works_has_accepted_the_message()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = new RawReceiver(answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n");
        await scene.RegisterAsync($"http://127.0.0.1:{receiver.Port}/");
        await using var worker = await scene.StartWorkerAsync();
        var generation = await scene.SubmitAsync();
        await scene.AppendAsync(generation);

        await scene.Database.UntilAsync(
            "SELECT count(*) = 2 FROM webhook_deliveries WHERE state = 'delivered' AND attempt = 1 AND status_code = 200 AND attempts -> 0 ->> 'response' = 'OK'");
        await scene.Database.UntilAsync("SELECT last_seq = 2 AND lease_expires_at IS NULL AND NOT troubled FROM durable_cursors");
        Assert.True(await scene.Database.ScalarAsync<bool>("SELECT failing_since IS NULL FROM webhooks", Token));
    }

    [Fact]
    public async Task Whatever_a_receiver_does_it_gets_everything_and_each_generation_in_order()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url());
        var random = new Random(7);
        var gate = new Lock();
        receiver.Answer = async (_, context) =>
        {
            int dice;
            lock (gate)
            {
                dice = random.Next(100);
            }

            switch (dice)
            {
                case < 20:
                    return 500;
                case < 30:
                    context.Abort();
                    return 500;
                case < 32:
                    await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    return 500;
                case < 36:
                    // Accepted, and the response is lost.
                    context.Abort();
                    return 200;
                default:
                    return 200;
            }
        };
        await using var first = await scene.StartWorkerAsync(
            [.. Enumerable.Range(0, 40).Select(i => ($"Webhooks:Delivery:RetryDelays:{i}", "00:00:00.05")), ("Webhooks:Delivery:Timeout", "00:00:02")]);
        await using var second = await scene.StartWorkerAsync(
            [.. Enumerable.Range(0, 40).Select(i => ($"Webhooks:Delivery:RetryDelays:{i}", "00:00:00.05")), ("Webhooks:Delivery:Timeout", "00:00:02")]);

        var generations = new ConcurrentBag<string>();
        await Task.WhenAll(Enumerable.Range(0, 10).Select(async _ =>
        {
            var generation = await scene.SubmitAsync();
            generations.Add(generation);
            await scene.AppendAsync(generation, count: 20);
        }));

        await Eventually.TrueAsync(() => receiver.Taken.Select(r => r.Seq).Distinct().Count() == 210);
        foreach (var generation in generations)
        {
            // As a receiver sees it that ignores repeats.
            var seqs = receiver.Taken.Where(r => r.GenerationId == generation).Select(r => r.Seq).Distinct().ToArray();
            Assert.Equal(seqs.Order(), seqs);
        }

        foreach (var attempts in receiver.All.GroupBy(r => r.Seq))
        {
            Assert.Single(attempts.Select(r => (r.Id, r.Body)).Distinct());
        }

        await scene.Database.UntilAsync("SELECT count(*) = 210 AND bool_and(state = 'delivered') FROM webhook_deliveries");
        await scene.Database.UntilAsync("SELECT last_seq = 210 FROM durable_cursors");
    }
}
