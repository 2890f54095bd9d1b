using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Egress;
using StatusUpdates.Webhooks.Deliveries;
using StatusUpdates.Webhooks.Messages;

namespace StatusUpdates.Tests.Webhooks;

public sealed class DeliveryTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Every_update_is_posted_signed_and_in_order()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        var (id, keys) = await scene.RegisterAsync(receiver.Url());
        await using var worker = await scene.StartWorkerAsync();

        var generation = await scene.SubmitAsync();
        await scene.AppendAsync(generation, count: 5);
        await scene.AppendAsync(generation, GenerationStatus.Completed);

        await Eventually.TrueAsync(() => receiver.Taken.Count == 7);
        var taken = receiver.Taken;
        Assert.Equal([1L, 2, 3, 4, 5, 6, 7], taken.Select(r => r.Seq));
        Assert.Equal("generation.pending", taken[0].Type);
        Assert.Equal("generation.completed", taken[^1].Type);
        Assert.Equal(7, taken.Select(r => r.Id).Distinct().Count());
        Assert.Equal(
            StatusJson.Encode((await scene.ReadLogAsync())[^1]), Encoding.UTF8.GetBytes(taken[^1].Json.GetProperty("data").GetRawText()));
        foreach (var received in taken)
        {
            var secret = Convert.FromBase64String(keys.Secret["whsec_".Length..]);
            var signed = HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes($"{received.Id}.{received.Timestamp}.{received.Body}"));
            Assert.Contains($"v1,{Convert.ToBase64String(signed)}", received.Signature.Split(' '));
        }

        await scene.Database.UntilAsync(
            "SELECT count(*) = 7 FROM webhook_deliveries WHERE state = 'delivered' AND status_code = 204 AND attempt = 1 AND next_attempt_at IS NULL");
        await scene.Database.UntilAsync("SELECT last_seq = 7 AND lease_expires_at IS NULL AND NOT troubled FROM durable_cursors");
        Assert.True(await scene.Database.ScalarAsync<bool>("SELECT last_success_at IS NOT NULL AND failing_since IS NULL FROM webhooks", Token));
    }

    [Fact]
    public async Task An_attempt_is_part_of_its_updates_trace_and_the_receiver_gets_nothing_of_it()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url("traced"));
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == WebhookTelemetry.Name,
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var worker = await scene.StartWorkerAsync();
        var generation = await scene.SubmitAsync();
        await Eventually.TrueAsync(() => receiver.Taken.Count == 1);
        var header = new ConcurrentQueue<string>();
        receiver.Answer = (_, context) =>
        {
            header.Enqueue(context.Request.Headers["traceparent"].ToString());
            return Task.FromResult(500);
        };
        var trace = ActivityTraceId.CreateRandom();
        await scene.AppendAsync(generation, traceParent: $"00-{trace}-{ActivitySpanId.CreateRandom()}-01");

        await Eventually.TrueAsync(() => spans.Count(s => s.TraceId == trace) >= 2);
        var attempt = spans.First(s => s.TraceId == trace);
        Assert.Equal("deliver webhook", attempt.OperationName);
        Assert.Equal(ActivityStatusCode.Error, attempt.Status);
        Assert.Equal(500, attempt.GetTagItem("http.response.status_code"));
        Assert.DoesNotContain(attempt.TagObjects, tag => $"{tag.Value}".Contains("traced", StringComparison.Ordinal));
        Assert.All(header, Assert.Empty);
    }

    [Fact]
    public async Task Only_updates_that_match_the_owners_filters_are_posted()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url("ends"), statuses: ["completed", "failed"]);
        await scene.RegisterAsync(receiver.Url("chats"), types: ["chat"]);
        await using var worker = await scene.StartWorkerAsync();

        var card = await scene.SubmitAsync();
        var chat = await scene.SubmitAsync(type: GenerationType.Chat);
        await scene.AppendAsync(card, count: 3);
        await scene.AppendAsync(card, GenerationStatus.Completed);
        await scene.AppendAsync(chat, GenerationStatus.Failed);

        await scene.Database.UntilAsync("SELECT bool_and(last_seq = 7) FROM durable_cursors");
        Assert.Equal([6L, 7L], receiver.Taken.Where(r => r.Path == "ends").Select(r => r.Seq).Order());
        Assert.Equal([2L, 7L], receiver.Taken.Where(r => r.Path == "chats").Select(r => r.Seq));
    }

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

    [Theory]
    [InlineData("url")]
    [InlineData("filter")]
    [InlineData("keys")]
    public async Task A_change_by_the_owner_takes_effect_at_once_and_the_result_of_an_earlier_attempt_changes_nothing(string what)
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        var (id, keys) = await scene.RegisterAsync(receiver.Url("old"));
        var change = new TaskCompletionSource();
        var before = 1;
        receiver.Answer = async (_, _) =>
        {
            if (Interlocked.Exchange(ref before, 0) == 0)
            {
                return 200;
            }

            await change.Task;
            return 410;
        };
        await using (await scene.StartWorkerAsync())
        {
            var generation = await scene.SubmitAsync();
            await Eventually.TrueAsync(() => receiver.All.Count == 1);
            switch (what)
            {
                case "url":
                    await scene.ChangeAsync(id, new() { Url = receiver.Url("new") });
                    break;
                case "filter":
                    await scene.ChangeAsync(id, new() { SetsStatuses = true, Statuses = ["pending", "completed"] });
                    break;
                default:
                    keys = await scene.RotateAsync(id);
                    break;
            }

            change.SetResult();
            await scene.AppendAsync(generation, GenerationStatus.Completed);
            await Eventually.TrueAsync(() => receiver.Taken.Count == 2);
        }

        // All attempts have ended, including the one that got 410.
        Assert.Equal([1L, 2], receiver.Taken.Select(r => r.Seq));
        Assert.All(receiver.Taken, r => Assert.Equal(what == "url" ? "new" : "old", r.Path));
        Assert.All(receiver.Taken, r => Assert.Equal(
            keys.Sign(r.Id, DateTimeOffset.FromUnixTimeSeconds(long.Parse(r.Timestamp, CultureInfo.InvariantCulture)), Encoding.UTF8.GetBytes(r.Body), r.At),
            r.Signature));
        Assert.True(await scene.Database.ScalarAsync<bool>("SELECT disabled_at IS NULL AND failing_since IS NULL FROM webhooks", Token));
        Assert.True(await scene.Database.ScalarAsync<bool>("SELECT bool_and(attempt = 1 AND state = 'delivered') FROM webhook_deliveries", Token));
    }

    [Fact]
    public async Task A_new_url_gets_at_once_what_the_old_one_did_not_accept()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        var (id, _) = await scene.RegisterAsync(receiver.Url("old"));
        receiver.Answer = (r, _) => Task.FromResult(r.Path == "old" ? 500 : 200);
        await using var worker = await scene.StartWorkerAsync(
            [.. Enumerable.Range(0, 9).Select(i => ($"Webhooks:Delivery:RetryDelays:{i}", "01:00:00"))]);
        for (var i = 0; i < 5; i++)
        {
            await scene.SubmitAsync();
        }

        await scene.Database.UntilAsync("SELECT not_before > now() + interval '40 minutes' AND lease_expires_at IS NULL FROM durable_cursors");
        await scene.ChangeAsync(id, new() { Url = receiver.Url("new") });

        await Eventually.TrueAsync(() => receiver.Taken.Count == 5);
        await scene.Database.UntilAsync("SELECT failing_since IS NULL FROM webhooks");
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

    [Theory]
    [InlineData("redirect", "It answered with a redirect, which is not followed.")]
    [InlineData("hang", "No answer within 0.3 s.")]
    [InlineData("close", "The connection ended before the answer came.")]
    [InlineData("down", "No connection could be made.")]
    public async Task The_owner_can_see_what_went_wrong(string trouble, string error)
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url());
        receiver.Answer = async (_, context) =>
        {
            switch (trouble)
            {
                case "redirect":
                    context.Response.Headers.Location = receiver.Url("elsewhere");
                    return 307;
                case "close":
                    context.Abort();
                    return 500;
            }

            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return 500;
        };
        if (trouble == "down")
        {
            await receiver.StopAsync();
        }

        // Short if it has to expire; otherwise so long that even a busy machine answers in time.
        await using var worker = await scene.StartWorkerAsync(("Webhooks:Delivery:Timeout", trouble is "hang" ? "00:00:00.3" : "00:01:00"));
        await scene.SubmitAsync();

        await scene.Database.UntilAsync("SELECT count(*) > 0 FROM webhook_deliveries WHERE attempt >= 1");
        var attempts = DeliveryAttempts.Parse(await scene.Database.ScalarAsync<string>("SELECT attempts::text FROM webhook_deliveries", Token));
        Assert.Equal(error, attempts[0].Error);
        Assert.DoesNotContain(receiver.All, r => r.Path == "elsewhere");
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
    public async Task Only_the_beginning_of_an_answer_is_read_and_stored()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url());
        receiver.Answer = async (_, context) =>
        {
            var chunk = Encoding.ASCII.GetBytes(new string('\0', 10) + new string('a', 64 * 1024));
            try
            {
                for (var i = 0; i < 10_000; i++)
                {
                    await context.Response.Body.WriteAsync(chunk, context.RequestAborted);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException)
            {
                return 200;
            }

            Assert.Fail("The whole response was read.");
            return 200;
        };
        await using var worker = await scene.StartWorkerAsync();
        await scene.SubmitAsync();

        await scene.Database.UntilAsync("SELECT count(*) = 1 FROM webhook_deliveries WHERE state = 'delivered'");
        var attempt = Assert.Single(DeliveryAttempts.Parse(
            await scene.Database.ScalarAsync<string>("SELECT attempts::text FROM webhook_deliveries", Token)));
        Assert.Equal(1024, attempt.Response!.Length);
    }

    [Fact]
    public async Task Without_an_exception_in_the_settings_nothing_is_sent_to_this_machine()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync($"http://localhost:{receiver.Port}/");
        await using var worker = await scene.StartWorkerAsync(("Webhooks:AllowedNetworks:0", "203.0.113.0/24"), ("Webhooks:AllowedNetworks:1", "203.0.113.0/24"));
        await scene.SubmitAsync();

        await scene.Database.UntilAsync("SELECT count(*) > 0 FROM webhook_deliveries WHERE attempt > 1");
        var attempts = DeliveryAttempts.Parse(await scene.Database.ScalarAsync<string>("SELECT attempts::text FROM webhook_deliveries", Token));
        Assert.Equal("Its host leads to an address that is not allowed.", attempts[0].Error);
        Assert.Empty(receiver.All);
    }

    [Fact]
    public async Task A_webhook_whose_next_updates_are_gone_gets_a_resync_and_continues_from_the_head()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await scene.RegisterAsync(receiver.Url());
        var generation = await scene.SubmitAsync();
        await scene.AppendAsync(generation, count: 4);
        await scene.Database.ExecuteAsync("DELETE FROM status_events WHERE seq <= 3; UPDATE user_streams SET oldest_seq = 4", Token);
        await using var worker = await scene.StartWorkerAsync();

        await Eventually.TrueAsync(() => receiver.Taken.Count == 1);
        await scene.AppendAsync(generation);
        await Eventually.TrueAsync(() => receiver.Taken.Count == 2);

        Assert.Equal("status.resync", receiver.Taken[0].Type);
        Assert.Equal([5L, 6L], receiver.Taken.Select(r => r.Seq));
    }

    [Fact]
    public async Task A_delivery_whose_update_is_gone_by_its_next_attempt_becomes_a_resync()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        var (id, _) = await scene.RegisterAsync(receiver.Url());
        receiver.Answer = (_, _) => Task.FromResult(410);
        await using var worker = await scene.StartWorkerAsync();
        await scene.SubmitAsync();
        await scene.Database.UntilAsync("SELECT disabled_at IS NOT NULL FROM webhooks");
        await scene.Database.ExecuteAsync("DELETE FROM status_events; UPDATE user_streams SET oldest_seq = 2", Token);
        receiver.Answer = (_, _) => Task.FromResult(200);
        await scene.EnableAsync(id);

        await Eventually.TrueAsync(() => receiver.Taken.Count == 1);
        Assert.Equal("status.resync", receiver.Taken[0].Type);
        Assert.Equal(1L, receiver.Taken[0].Seq);
        await scene.Database.UntilAsync("SELECT bool_or(state = 'failed' AND seq = 1) AND bool_or(state = 'delivered' AND seq IS NULL) FROM webhook_deliveries");
    }

    [Fact]
    public async Task A_requested_delivery_is_attempted_at_once_even_while_the_receiver_is_down()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        var (id, _) = await scene.RegisterAsync(receiver.Url());
        receiver.Answer = (_, _) => Task.FromResult(500);
        await using var worker = await scene.StartWorkerAsync(
            [.. Enumerable.Range(0, 9).Select(i => ($"Webhooks:Delivery:RetryDelays:{i}", "01:00:00"))]);
        for (var i = 0; i < 5; i++)
        {
            await scene.SubmitAsync();
        }

        await scene.Database.UntilAsync("SELECT not_before > now() + interval '40 minutes' AND lease_expires_at IS NULL FROM durable_cursors");
        receiver.Answer = (_, _) => Task.FromResult(200);
        await scene.Database.ExecuteAsync(
            $$"""
            INSERT INTO webhook_deliveries (id, webhook_id, message_id, type, body, state, attempt, created_at)
            VALUES ('{{WebhookIds.NewDelivery()}}', '{{id}}', 'msg_test', 'webhook.test', '{"type":"webhook.test","data":{"seq":0} }', 'pending', 0, now());
            UPDATE durable_cursors SET nudges = nudges + 1, due_at = clock_timestamp(), not_before = NULL;
            """,
            Token);

        // It succeeds, and so does everything that was postponed.
        await Eventually.TrueAsync(() => receiver.Taken.Count == 6);
        Assert.Equal("msg_test", receiver.Taken[0].Id);
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
