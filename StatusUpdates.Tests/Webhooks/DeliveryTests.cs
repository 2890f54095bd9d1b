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

        // A filter may name a type that is not one of the default ones, or not registered any more.
        await scene.RegisterAsync(receiver.Url("posters"), types: ["poster"]);
        await using var worker = await scene.StartWorkerAsync();

        var card = await scene.SubmitAsync();
        var chat = await scene.SubmitAsync(type: "chat");
        await scene.AppendAsync(card, count: 3);
        await scene.AppendAsync(card, GenerationStatus.Completed);
        await scene.AppendAsync(chat, GenerationStatus.Failed);
        var poster = await scene.SubmitAsync(type: "poster");
        await scene.AppendAsync(poster);

        await scene.Database.UntilAsync("SELECT bool_and(last_seq = 9) FROM durable_cursors");
        Assert.Equal([6L, 7L], receiver.Taken.Where(r => r.Path == "ends").Select(r => r.Seq).Order());
        Assert.Equal([2L, 7L], receiver.Taken.Where(r => r.Path == "chats").Select(r => r.Seq));
        Assert.Equal([8L, 9L], receiver.Taken.Where(r => r.Path == "posters").Select(r => r.Seq));
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
}
