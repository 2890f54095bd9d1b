using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Webhooks.Deliveries;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Tests.Webhooks;

public sealed class DeliveryRestTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_test_is_pending_at_once_with_its_message_stored()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();

        using var response = await client.PostAsync($"{WebhookCalls.Path}/{id}/test", null, Token);
        var delivery = await response.DataAsync(HttpStatusCode.Accepted);

        Assert.Equal($"{WebhookCalls.Path}/{id}/deliveries/{delivery.Id()}", response.Headers.Location?.OriginalString);
        Assert.Equal("webhook.test", (string?)delivery["type"]);
        Assert.Equal("pending", (string?)delivery["state"]);
        Assert.Equal(WebhookIds.MessageOf(delivery.Id()), (string?)delivery["messageId"]);
        Assert.Null(delivery["seq"]);
        Assert.Equal("1 true", await api.Database.ScalarAsync<string>(
            "SELECT concat_ws(' ', nudges, (due_at <= clock_timestamp())::text) FROM durable_cursors", Token));
        var body = JsonNode.Parse((await api.Database.ScalarAsync<string>("SELECT body FROM webhook_deliveries", Token))!)!;
        Assert.Equal("webhook.test", (string?)body["type"]);
        Assert.Equal(id, (string?)body["data"]!["webhookId"]);
    }

    [Fact]
    public async Task Nothing_is_delivered_to_a_disabled_webhook_even_on_request()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        var delivery = (await client.PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted)).Id();
        await client.PatchDataAsync(id, """{"enabled":false}""");

        await client.PostProblemAsync($"/{id}/test", null, HttpStatusCode.Conflict, "webhook_disabled");
        await client.PostProblemAsync($"/{id}/replay", """{"since":0}""", HttpStatusCode.Conflict, "webhook_disabled");
        await client.PostProblemAsync($"/{id}/deliveries/{delivery}/replay", null, HttpStatusCode.Conflict, "webhook_disabled");
        Assert.Equal(1L, await api.Database.ScalarAsync<long>("SELECT count(*) FROM webhook_deliveries", Token));
    }

    [Fact]
    public async Task Deliveries_are_listed_newest_first_in_pages_and_by_state()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            ids.Insert(0, (await client.PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted)).Id());
            await api.Database.ExecuteAsync("UPDATE webhook_deliveries SET state = 'delivered'", Token);
        }

        await api.Database.ExecuteAsync("UPDATE webhook_deliveries SET state = 'pending'", Token);
        await api.Database.ExecuteAsync($"UPDATE webhook_deliveries SET state = 'failed' WHERE id IN ('{ids[1]}', '{ids[3]}')", Token);
        var seen = new List<string>();
        for (var path = $"{WebhookCalls.Path}/{id}/deliveries?limit=2"; path is not null;)
        {
            using var response = await client.GetAsync(path, Token);
            var page = await response.DataAsync();
            seen.AddRange(page["items"]!.AsArray().Select(item => item!.Id()));
            var link = response.Headers.TryGetValues("Link", out var links) ? links.Single() : null;
            Assert.Equal(link is null, page["nextCursor"] is null);
            path = link?[1..link.IndexOf('>', StringComparison.Ordinal)];
        }

        Assert.Equal(ids, seen);
        var failed = (await client.GetDataAsync($"/{id}/deliveries?state=failed"))["items"]!.AsArray();
        Assert.Equal([ids[1], ids[3]], failed.Select(item => item!.Id()));
        Assert.Empty((await client.GetDataAsync($"/{id}/deliveries?state=delivered"))["items"]!.AsArray());
    }

    [Fact]
    public async Task A_list_is_read_by_index_and_without_the_columns_that_it_does_not_show()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        await api.Database.ExecuteAsync(
            $$"""
            INSERT INTO webhook_deliveries (id, webhook_id, message_id, type, body, state, attempt, created_at, attempts)
            SELECT 'dlv-' || gen_random_uuid(), '{{id}}', 'm', 't', '{}', CASE WHEN i % 1000 = 0 THEN 'failed' ELSE 'delivered' END, 1, now(), '[]'
            FROM generate_series(1, 20000) i;
            ANALYZE webhook_deliveries;
            """,
            Token);
        await using var scope = api.App.Services.CreateAsyncScope();
        var list = await scope.ServiceProvider.GetRequiredService<WebhookQueries>().ListDeliveriesAsync("user-1", id, new("failed", null, 10), Token);

        Assert.Equal(10, list!.Items.Count);
        Assert.All(list.Items, delivery => Assert.Null(delivery.Attempts ?? delivery.Body));
        var plan = await api.Database.ScalarAsync<string>(
            $"EXPLAIN (FORMAT JSON) SELECT id FROM webhook_deliveries WHERE webhook_id = '{id}' AND state = 'failed' ORDER BY id DESC LIMIT 11", Token);
        Assert.Contains("ix_webhook_deliveries_webhook_id_state_id", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("\"Sort\"", plan, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_webhook_has_at_most_one_pending_test()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        var other = (await client.CreateWebhookAsync()).Id();

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            using var response = await client.PostAsync($"{WebhookCalls.Path}/{id}/test", null, Token);
            return response.StatusCode;
        }));

        Assert.Equal(1, answers.Count(status => status == HttpStatusCode.Accepted));
        await client.PostProblemAsync($"/{id}/test", null, HttpStatusCode.Conflict, "delivery_pending");
        await client.PostDataAsync($"/{other}/test", null, HttpStatusCode.Accepted);
        await api.Database.ExecuteAsync("UPDATE webhook_deliveries SET state = 'failed'", Token);
        await client.PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task Nothing_is_replayed_while_more_than_ten_thousand_deliveries_are_pending()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        var failed = WebhookIds.NewDelivery();
        await api.Database.ExecuteAsync(
            $$"""
            UPDATE webhooks SET last_success_at = now();
            INSERT INTO user_streams (user_id, last_seq, oldest_seq, last_check) VALUES ('user-1', 10, 1, 0);
            INSERT INTO status_events (user_id, seq, generation_id, type, status, occurred_at, update_id)
            SELECT 'user-1', i, 'gen-1', 'sora', 'processing', now(), gen_random_uuid() FROM generate_series(1, 10) i;
            UPDATE durable_cursors SET last_seq = 10;
            INSERT INTO webhook_deliveries (id, webhook_id, seq, generation_id, message_id, type, state, attempt, created_at)
            SELECT 'dlv-' || gen_random_uuid(), '{{id}}', i + 10, 'gen-2', 'm', 't', 'pending', 1, now() FROM generate_series(1, 10001) i;
            INSERT INTO webhook_deliveries (id, webhook_id, message_id, type, body, state, attempt, created_at)
            VALUES ('{{failed}}', '{{id}}', 'm', 'webhook.test', '{}', 'failed', 1, now());
            """,
            Token);

        var problem = await client.PostProblemAsync($"/{id}/replay", """{"since":0}""", HttpStatusCode.Conflict, "too_many_pending");
        Assert.Contains("10000", (string)problem["detail"]!, StringComparison.Ordinal);
        await client.PostProblemAsync($"/{id}/deliveries/{failed}/replay", null, HttpStatusCode.Conflict, "too_many_pending");
        Assert.Equal(10_001L, await api.Database.ScalarAsync<long>("SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'", Token));

        await api.Database.ExecuteAsync("UPDATE webhook_deliveries SET state = 'delivered' WHERE seq = 11", Token);
        await client.PostDataAsync($"/{id}/deliveries/{failed}/replay", null, HttpStatusCode.Accepted);
        await api.Database.ExecuteAsync("UPDATE webhook_deliveries SET state = 'delivered' WHERE seq = 12", Token);
        Assert.Equal(10, (int)(await client.PostDataAsync($"/{id}/replay", """{"since":0}""", HttpStatusCode.Accepted))["count"]!);
    }

    [Fact]
    public async Task Nothing_is_replayed_before_a_webhook_has_accepted_a_message_at_its_current_url()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        var failed = (await client.PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted)).Id();
        await api.Database.ExecuteAsync("UPDATE webhook_deliveries SET state = 'failed'", Token);
        await RefusedAsync();

        await api.Database.ExecuteAsync("UPDATE webhooks SET last_success_at = now()", Token);
        await client.PatchDataAsync(id, """{"url":"https://198.41.0.4/hook","description":"the same"}""");
        await client.PostDataAsync($"/{id}/replay", """{"since":0}""", HttpStatusCode.Accepted);
        await client.PostDataAsync($"/{id}/deliveries/{failed}/replay", null, HttpStatusCode.Accepted);

        await api.Database.ExecuteAsync("UPDATE webhook_deliveries SET state = 'failed'", Token);
        await client.PatchDataAsync(id, """{"url":"https://198.41.0.5/"}""");
        await RefusedAsync();

        async Task RefusedAsync()
        {
            var problem = await client.PostProblemAsync($"/{id}/replay", """{"since":0}""", HttpStatusCode.Conflict, "webhook_unproven");
            Assert.Contains("/test", (string)problem["detail"]!, StringComparison.Ordinal);
            await client.PostProblemAsync($"/{id}/deliveries/{failed}/replay", null, HttpStatusCode.Conflict, "webhook_unproven");
            Assert.Equal("failed", await api.Database.ScalarAsync<string>("SELECT state FROM webhook_deliveries", Token));
        }
    }

    [Fact]
    public async Task A_delivery_shows_its_attempts()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        var delivery = (await client.PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted)).Id();
        var at = new DateTimeOffset(2026, 3, 1, 12, 0, 0, 123, TimeSpan.Zero);
        var attempts = DeliveryAttempts.Encode([new(at, 1, 503, 40, "status", "busy"), new(at.AddSeconds(5), 2, null, 15_000, "timeout", null)]);
        await api.Database.ExecuteAsync(
            $"UPDATE webhook_deliveries SET attempt = 2, state = 'failed', last_attempt_at = now(), status_code = 503, attempts = '{attempts}'", Token);

        var read = await client.GetDataAsync($"/{id}/deliveries/{delivery}");

        Assert.Equal(
            """[{"at":"2026-03-01T12:00:00.123Z","attempt":1,"statusCode":503,"durationMs":40,"error":"status","response":"busy"},"""
                + """{"at":"2026-03-01T12:00:05.123Z","attempt":2,"durationMs":15000,"error":"timeout"}]""",
            read["attempts"]!.ToJsonString());
        Assert.Equal(503, (int)read["statusCode"]!);
        Assert.Null(read["nextAttemptAt"]);

        // A list shows the last one.
        var listed = Assert.Single((await client.GetDataAsync($"/{id}/deliveries"))["items"]!.AsArray())!;
        Assert.Equal(
            """{"at":"2026-03-01T12:00:05.123Z","attempt":2,"durationMs":15000,"error":"timeout"}""", listed["lastAttempt"]!.ToJsonString());
        Assert.Null(listed["attempts"]);
    }

    [Fact]
    public async Task A_finished_delivery_that_is_replayed_is_pending_again_with_the_same_message_id()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        var delivery = await client.PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted);
        var replay = $"/{id}/deliveries/{delivery.Id()}/replay";
        await client.PostProblemAsync(replay, null, HttpStatusCode.Conflict, "delivery_pending");
        await api.Database.ExecuteAsync("UPDATE webhook_deliveries SET state = 'delivered', attempt = 3, next_attempt_at = NULL; UPDATE webhooks SET last_success_at = now()", Token);

        var again = await client.PostDataAsync(replay, null, HttpStatusCode.Accepted);

        Assert.Equal("pending", (string?)again["state"]);
        Assert.Equal(0, (int)again["attempt"]!);
        Assert.Equal(0L, await api.Database.ScalarAsync<long>("SELECT count(next_attempt_at) FROM webhook_deliveries", Token));
        Assert.Equal((string?)delivery["messageId"], (string?)again["messageId"]);
    }

    [Fact]
    public async Task A_replayed_range_is_pending_again_and_deliveries_that_are_pending_keep_their_attempts()
    {
        await using var api = await TestApi.StartAsync(servers);
        var database = api.Database;
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync(""","statuses":["pending","processing"]""")).Id();

        // 1 and 2: pending; 3 and 4: processing; 5: completed, which the filter excludes; 6: another type, beyond the range.
        var first = (await database.SubmitAsync("user-1", cancellationToken: Token)).Generation.Id;
        var second = (await database.SubmitAsync("user-1", cancellationToken: Token)).Generation.Id;
        var claims = (await database.ClaimAsync(2, cancellationToken: Token)).Claimed;
        await database.Log.AppendAsync(
            new StatusChange { GenerationId = claims[0].Id, Status = GenerationStatus.Completed, Attempt = claims[0].Attempt }, Token);
        await database.SubmitAsync("user-1", "sora", cancellationToken: Token);

        // 2 was delivered, 4 is being retried; the cursor has passed 5.
        await database.ExecuteAsync(
            $"""
            UPDATE webhooks SET last_success_at = now();
            UPDATE durable_cursors SET last_seq = 5;
            INSERT INTO webhook_deliveries (id, webhook_id, seq, generation_id, message_id, type, state, attempt, created_at, next_attempt_at)
            SELECT 'dlv-' || seq, '{id}', seq, generation_id, 'msg_' || replace(update_id::text, '-', ''), 't',
                   CASE seq WHEN 2 THEN 'delivered' ELSE 'pending' END, 3, now(), CASE seq WHEN 4 THEN now() + interval '1 h' END
            FROM status_events WHERE seq IN (2, 4);
            """,
            Token);

        var replay = await client.PostDataAsync($"/{id}/replay", """{"since":0}""", HttpStatusCode.Accepted);

        Assert.Equal(4, (int)replay["count"]!);
        Assert.Equal(
            "1 pending 0 -, 2 pending 0 -, 3 pending 0 -, 4 pending 3 later",
            await database.ScalarAsync<string>(
                """
                SELECT string_agg(concat_ws(' ', seq, state, attempt, CASE WHEN next_attempt_at > now() THEN 'later' ELSE '-' END), ', ' ORDER BY seq)
                FROM webhook_deliveries
                """,
                Token));
        Assert.Equal(4L, await database.ScalarAsync<long>(
            """
            SELECT count(*) FROM webhook_deliveries d JOIN status_events e USING (seq)
            WHERE d.message_id = 'msg_' || replace(e.update_id::text, '-', '') AND d.generation_id = e.generation_id
            """,
            Token));
        Assert.Equal(2L, await database.ScalarAsync<long>(
            "SELECT count(*) FROM webhook_deliveries WHERE type IN ('generation.pending', 'generation.processing')", Token));
        Assert.NotEqual(first, second);

        // Ids created by the database look like those created by the code, and sort by time.
        var made = (await client.GetDataAsync($"/{id}/deliveries"))["items"]!.AsArray().Where(d => d!.Id().Length > 10).ToArray();
        Assert.Equal([3L, 1L], made.Select(d => (long)d!["seq"]!));
        Assert.All(made, d =>
        {
            Assert.True(WebhookIds.IsDelivery(d!.Id()));
            Assert.Equal(7, Guid.Parse(d!.Id()["dlv-".Length..]).Version);
            Assert.InRange(Guid.Parse(d!.Id()["dlv-".Length..]).Variant, 8, 11);
        });

        // The same replay again changes nothing; a part of the range has its own count.
        Assert.Equal(4, (int)(await client.PostDataAsync($"/{id}/replay", """{"since":0,"until":5}""", HttpStatusCode.Accepted))["count"]!);
        Assert.Equal(1, (int)(await client.PostDataAsync($"/{id}/replay", """{"since":1,"until":2}""", HttpStatusCode.Accepted))["count"]!);
        Assert.Equal(0, (int)(await client.PostDataAsync($"/{id}/replay", """{"since":5,"until":5}""", HttpStatusCode.Accepted))["count"]!);
        Assert.Equal(4L, await database.ScalarAsync<long>("SELECT count(*) FROM webhook_deliveries", Token));
    }

    [Fact]
    public async Task A_range_that_is_gone_too_long_or_ahead_of_the_cursor_is_refused()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        await api.Database.ExecuteAsync(
            """
            UPDATE webhooks SET last_success_at = now();
            INSERT INTO user_streams (user_id, last_seq, oldest_seq, last_check) VALUES ('user-1', 20000, 5001, 0);
            UPDATE durable_cursors SET last_seq = 19000;
            """,
            Token);

        await client.PostProblemAsync($"/{id}/replay", """{"since":4999}""", HttpStatusCode.Conflict, "updates_gone");
        var gone = await client.PostProblemAsync($"/{id}/replay", """{"since":0,"until":10}""", HttpStatusCode.Conflict, "updates_gone");
        Assert.Contains("5000", (string)gone["detail"]!, StringComparison.Ordinal);
        var ahead = await client.PostProblemAsync($"/{id}/replay", """{"since":18000,"until":19001}""", HttpStatusCode.BadRequest, "invalid_request");
        Assert.Contains("19000", ahead["errors"]!["until"]!.ToJsonString(), StringComparison.Ordinal);
        var many = await client.PostProblemAsync($"/{id}/replay", """{"since":5000}""", HttpStatusCode.BadRequest, "invalid_request");
        Assert.Contains("10000", many["errors"]!["until"]!.ToJsonString(), StringComparison.Ordinal);
        var backward = await client.PostProblemAsync($"/{id}/replay", """{"since":6000,"until":5999}""", HttpStatusCode.BadRequest, "invalid_request");
        Assert.NotNull(backward["errors"]!["until"]);
        await client.PostDataAsync($"/{id}/replay", """{"since":5000,"until":15000}""", HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task Ten_thousand_updates_are_replayed_by_one_request_in_the_order_of_the_log()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        await api.Database.ExecuteAsync(
            """
            UPDATE webhooks SET last_success_at = now();
            INSERT INTO user_streams (user_id, last_seq, oldest_seq, last_check) VALUES ('user-1', 10000, 1, 0);
            INSERT INTO status_events (user_id, seq, generation_id, type, status, occurred_at, update_id)
            SELECT 'user-1', i, 'gen-' || i % 100, 'sora', 'processing', now(), gen_random_uuid() FROM generate_series(1, 10000) i;
            UPDATE durable_cursors SET last_seq = 10000;
            """,
            Token);

        var replay = await client.PostDataAsync($"/{id}/replay", """{"since":0}""", HttpStatusCode.Accepted);

        Assert.Equal(10_000, (int)replay["count"]!);
        Assert.Equal(10_000L, await api.Database.ScalarAsync<long>("SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'", Token));
        Assert.Equal(0L, await api.Database.ScalarAsync<long>(
            "SELECT count(*) FROM (SELECT seq, lag(seq) OVER (ORDER BY id) AS before FROM webhook_deliveries) d WHERE before > seq", Token));
    }

    [Fact]
    public async Task An_update_that_is_gone_is_not_replayed()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        var delivery = WebhookIds.NewDelivery();
        await api.Database.ExecuteAsync(
            $"""
            UPDATE webhooks SET last_success_at = now();
            INSERT INTO webhook_deliveries (id, webhook_id, seq, generation_id, message_id, type, state, attempt, created_at)
            VALUES ('{delivery}', '{id}', 1, 'gen-1', 'm', 't', 'failed', 9, now())
            """,
            Token);

        await client.PostProblemAsync($"/{id}/deliveries/{delivery}/replay", null, HttpStatusCode.Conflict, "updates_gone");
        Assert.Equal("failed", await api.Database.ScalarAsync<string>("SELECT state FROM webhook_deliveries", Token));
    }
}
