using System.Net;
using Npgsql;
using StatusUpdates.Tests.Api;
using StatusUpdates.Webhooks.Keys;
using StatusUpdates.Webhooks.Messages;

namespace StatusUpdates.Tests.Webhooks;

public sealed class WebhookRestTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_registered_webhook_begins_at_the_head_of_its_owners_log()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.Database.SubmitAsync("user-1", cancellationToken: Token);
        await api.Database.SubmitAsync("user-1", cancellationToken: Token);
        await api.Database.SubmitAsync("user-2", cancellationToken: Token);

        var webhook = await api.As("user-1").CreateWebhookAsync(""","description":"mine","statuses":["completed","failed"],"types":["sora"]""");

        Assert.StartsWith("wh-", webhook.Id(), StringComparison.Ordinal);
        Assert.Equal("https://198.41.0.4/hook", (string?)webhook["url"]);
        Assert.Equal("mine", (string?)webhook["description"]);
        Assert.Equal("""["completed","failed"]""", webhook["statuses"]!.ToJsonString());
        Assert.Equal("""["sora"]""", webhook["types"]!.ToJsonString());
        Assert.True((bool)webhook["enabled"]!);
        Assert.StartsWith("whsec_", (string?)webhook["secret"], StringComparison.Ordinal);
        Assert.StartsWith("whpk_", (string?)webhook["publicKey"], StringComparison.Ordinal);
        Assert.Equal(
            "webhook user-1 2 false",
            await api.Database.ScalarAsync<string>(
                $"SELECT concat_ws(' ', kind, user_id, last_seq, paused::text) FROM durable_cursors WHERE owner = 'webhook:{webhook.Id()}'", Token));
    }

    [Fact]
    public async Task A_webhook_is_listed_and_read_without_its_secret()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var first = await client.CreateWebhookAsync();
        var second = await client.CreateWebhookAsync(""","description":"second" """);
        await api.As("user-2").CreateWebhookAsync();

        var list = (await client.GetDataAsync(""))["items"]!.AsArray();
        var read = await client.GetDataAsync($"/{second.Id()}");

        Assert.Equal([first.Id(), second.Id()], list.Select(item => item!.Id()));
        Assert.Equal(list[1]!.ToJsonString(), read.ToJsonString());
        second.AsObject().Remove("secret");
        Assert.Equal(second.ToJsonString(), read.ToJsonString());
        Assert.Null(read["statuses"]);
    }

    [Fact]
    public async Task Members_that_a_change_omits_stay_and_null_resets()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync(""","description":"mine","statuses":["completed"],"types":["sora"]""")).Id();

        var same = await client.PatchDataAsync(id, "{}");
        Assert.Equal("mine", (string?)same["description"]);
        Assert.Equal("""["completed"]""", same["statuses"]!.ToJsonString());

        var moved = await client.PatchDataAsync(id, """{"url":"https://198.41.0.5/","statuses":["failed"]}""");
        Assert.Equal("https://198.41.0.5/", (string?)moved["url"]);
        Assert.Equal("""["failed"]""", moved["statuses"]!.ToJsonString());
        Assert.Equal("""["sora"]""", moved["types"]!.ToJsonString());
        Assert.True((bool)moved["enabled"]!);

        var all = await client.PatchDataAsync(id, """{"description":null,"statuses":null,"types":null}""");
        Assert.Null(all["description"]);
        Assert.Null(all["statuses"]);
        Assert.Null(all["types"]);
        Assert.Equal("https://198.41.0.5/", (string?)all["url"]);
    }

    [Fact]
    public async Task A_disabled_webhook_pauses_and_an_enabled_one_continues_from_where_it_was()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();

        var disabled = await client.PatchDataAsync(id, """{"enabled":false}""");
        Assert.False((bool)disabled["enabled"]!);
        Assert.Equal("owner", (string?)disabled["disabledReason"]);
        Assert.NotNull(disabled["disabledAt"]);
        Assert.Equal("true 1", await CursorAsync("paused::text, epoch"));

        // Two deliveries of one generation and a test, all of which have waited for a long time.
        await api.Database.ExecuteAsync(
            $"""
            UPDATE webhooks SET failing_since = now() - interval '3 days', disabled_reason = 'failing';
            INSERT INTO webhook_deliveries (id, webhook_id, seq, generation_id, message_id, type, state, attempt, created_at, next_attempt_at)
            VALUES ('dlv-1', '{id}', 4, 'gen-1', 'm1', 't', 'pending', 7, now(), now() + interval '9 h'),
                   ('dlv-2', '{id}', 5, 'gen-1', 'm2', 't', 'pending', 0, now(), NULL),
                   ('dlv-3', '{id}', NULL, NULL, 'm3', 't', 'pending', 2, now(), now() + interval '1 h'),
                   ('dlv-4', '{id}', 6, 'gen-2', 'm4', 't', 'failed', 9, now(), NULL);
            """,
            Token);
        var still = await client.PatchDataAsync(id, """{"enabled":false}""");
        Assert.Equal("failing", (string?)still["disabledReason"]);
        var enabled = await client.PatchDataAsync(id, """{"enabled":true}""");

        Assert.True((bool)enabled["enabled"]!);
        Assert.Null(enabled["disabledAt"]);
        Assert.Null(enabled["disabledReason"]);
        Assert.Null(enabled["failingSince"]);
        Assert.Equal("false 3 1 true", await CursorAsync("paused::text, epoch, nudges, (due_at <= clock_timestamp())::text"));
        Assert.Equal(
            "dlv-1 0 -, dlv-2 0 -, dlv-3 0 -, dlv-4 9 -",
            await api.Database.ScalarAsync<string>(
                "SELECT string_agg(concat_ws(' ', id, attempt, CASE WHEN next_attempt_at > now() THEN 'later' ELSE '-' END), ', ' ORDER BY id) FROM webhook_deliveries",
                Token));

        Task<string?> CursorAsync(string columns) => api.Database.ScalarAsync<string>($"SELECT concat_ws(' ', {columns}) FROM durable_cursors", Token);
    }

    [Theory]
    [InlineData("""{"url":"https://198.41.0.5/"}""", "new holder, now", "0 -", false)]
    [InlineData("""{"statuses":["failed"]}""", "new holder, now", "7 later", true)]
    [InlineData("""{"types":null}""", "new holder, now", "7 later", true)]
    [InlineData("""{"description":"mine"}""", "same holder, later", "7 later", true)]
    [InlineData("""{"enabled":true}""", "same holder, later", "7 later", true)]
    [InlineData("""{"enabled":true,"statuses":["failed"]}""", "new holder, now", "7 later", true)]
    [InlineData("""{"url":"https://198.41.0.4/hook"}""", "new holder, now", "7 later", true)]
    [InlineData(null, "new holder, now", "7 later", true)]
    public async Task A_change_that_affects_deliveries_replaces_the_cursors_holder_at_once(string? change, string cursor, string delivery, bool isFailing)
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        await api.Database.ExecuteAsync(
            $"""
            UPDATE webhooks SET failing_since = now() - interval '1 day';
            UPDATE durable_cursors SET epoch = 5, lease_expires_at = now() + interval '1 h', not_before = now() + interval '9 h';
            INSERT INTO webhook_deliveries (id, webhook_id, seq, generation_id, message_id, type, state, attempt, created_at, next_attempt_at)
            VALUES ('dlv-1', '{id}', 4, 'gen-1', 'm1', 't', 'pending', 7, now(), now() + interval '9 h');
            """,
            Token);

        if (change is null)
        {
            await client.PostDataAsync($"/{id}/rotate-secret", "{}", HttpStatusCode.OK);
        }
        else
        {
            await client.PatchDataAsync(id, change);
        }

        Assert.Equal(cursor, await api.Database.ScalarAsync<string>(
            """
            SELECT CASE WHEN epoch = 6 AND lease_expires_at IS NULL THEN 'new holder' WHEN epoch = 5 AND lease_expires_at > now() THEN 'same holder' END
                || CASE WHEN nudges = 1 AND due_at <= clock_timestamp() AND not_before IS NULL THEN ', now' WHEN not_before > now() THEN ', later' END
            FROM durable_cursors
            """,
            Token));
        Assert.Equal(delivery, await api.Database.ScalarAsync<string>(
            "SELECT concat_ws(' ', attempt, CASE WHEN next_attempt_at > now() THEN 'later' ELSE '-' END) FROM webhook_deliveries", Token));
        Assert.Equal(isFailing, (await client.GetDataAsync($"/{id}"))["failingSince"] is not null);
    }

    [Fact]
    public async Task A_deleted_webhook_is_gone_with_its_cursor_and_its_deliveries_are_not_found()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        var delivery = await client.PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted);

        using (var deleted = await client.DeleteAsync($"{WebhookCalls.Path}/{id}", Token))
        {
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        }

        Assert.Equal(0L, await api.Database.ScalarAsync<long>("SELECT count(*) FROM durable_cursors", Token));
        foreach (var path in new[] { $"/{id}", $"/{id}/deliveries", $"/{id}/deliveries/{delivery.Id()}" })
        {
            using var response = await client.GetAsync(WebhookCalls.Path + path, Token);
            await response.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        }

        using var again = await client.DeleteAsync($"{WebhookCalls.Path}/{id}", Token);
        await again.ProblemAsync(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task A_rotated_secret_is_new_and_the_earlier_one_signs_until_the_overlap_is_over()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var webhook = await client.CreateWebhookAsync();

        var byDefault = await client.PostDataAsync($"/{webhook.Id()}/rotate-secret", null, HttpStatusCode.OK);
        var once = await KeysAsync();
        var twice = await client.PostDataAsync($"/{webhook.Id()}/rotate-secret", """{"overlapSeconds":604800}""", HttpStatusCode.OK);
        var atOnce = await client.PostDataAsync($"/{webhook.Id()}/rotate-secret", """{"overlapSeconds":0}""", HttpStatusCode.OK);

        Assert.Equal(4, new[] { webhook, byDefault, twice, atOnce }.Select(answer => (string)answer["secret"]!).Distinct().Count());
        Assert.Equal((string)byDefault["secret"]!, once.Secret);
        var now = TimeProvider.System.GetUtcNow();
        Assert.Equal(4, once.Sign("m", now, "{}"u8, now.AddHours(23)).Split(' ').Length);
        Assert.Equal(2, once.Sign("m", now, "{}"u8, now.AddHours(25)).Split(' ').Length);
        var last = await KeysAsync();
        Assert.Equal((string)atOnce["secret"]!, last.Secret);
        Assert.Equal(1, last.Count);
        Assert.Equal((string)atOnce["publicKey"]!, (string?)(await client.GetDataAsync($"/{webhook.Id()}"))["publicKey"]);

        async Task<SigningKeys> KeysAsync() => api.Services<SigningKeyProtector>().Unprotect(
            webhook.Id(), (await api.Database.ScalarAsync<byte[]>("SELECT signing_keys FROM webhooks", Token))!);
    }

    [Fact]
    public async Task Concurrent_rotations_all_take_effect()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();

        var rotated = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => client.PostDataAsync($"/{id}/rotate-secret", "{}", HttpStatusCode.OK)));

        var keys = api.Services<SigningKeyProtector>().Unprotect(id, (await api.Database.ScalarAsync<byte[]>("SELECT signing_keys FROM webhooks", Token))!);
        Assert.Equal(3, keys.Count);
        Assert.Contains(keys.Secret, rotated.Select(answer => (string)answer["secret"]!));
    }

    [Fact]
    public async Task Keys_that_can_no_longer_be_decrypted_are_replaced_by_a_rotation()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As("user-1");
        var id = (await client.CreateWebhookAsync()).Id();
        await api.Database.ExecuteAsync("UPDATE webhooks SET signing_keys = '\\x00'", Token);

        Assert.Null((await client.GetDataAsync($"/{id}"))["publicKey"]);
        Assert.NotNull((await client.PostDataAsync($"/{id}/rotate-secret", "{}", HttpStatusCode.OK))["secret"]);
        Assert.NotNull((await client.GetDataAsync($"/{id}"))["publicKey"]);
    }

    [Fact]
    public async Task A_user_has_no_more_webhooks_than_the_limit_however_many_are_registered_at_once()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["Webhooks:MaxPerUser"] = "3" });
        var client = api.As("user-1");

        var statuses = await Task.WhenAll(Enumerable.Range(0, 12).Select(async _ =>
        {
            using var response = await client.PostAsync(WebhookCalls.Path, Answers.Json("""{"url":"https://198.41.0.4/"}"""), Token);
            return response.StatusCode;
        }));

        Assert.Equal(3, statuses.Count(status => status == HttpStatusCode.Created));
        Assert.Equal(9, statuses.Count(status => status == HttpStatusCode.Conflict));
        await client.PostProblemAsync("", """{"url":"https://198.41.0.4/"}""", HttpStatusCode.Conflict, "webhook_limit");
        Assert.Equal(3L, await api.Database.ScalarAsync<long>("SELECT count(*) FROM durable_cursors", Token));
        await api.As("user-2").CreateWebhookAsync();
        using var deleted = await client.DeleteAsync($"{WebhookCalls.Path}/{(await client.GetDataAsync(""))["items"]![0]!.Id()}", Token);
        await client.CreateWebhookAsync();
    }

    [Fact]
    public async Task A_user_has_few_webhooks_at_one_url_whatever_its_query_even_with_concurrent_registrations_and_changes()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["Webhooks:MaxPerUrl"] = "2" });
        var client = api.As("user-1");
        var elsewhere = (await client.CreateWebhookAsync(url: "https://198.41.0.4/elsewhere")).Id();

        var statuses = await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            using var response = i % 2 == 0
                ? await client.PostAsync(WebhookCalls.Path, Answers.Json($$"""{"url":"https://198.41.0.4/hook?{{i}}"}"""), Token)
                : await client.PatchAsync($"{WebhookCalls.Path}/{elsewhere}", Answers.Json($$"""{"url":"https://198.41.0.4/HOOK?{{i}}","enabled":false}"""), Token);
            return response.StatusCode;
        }));

        Assert.All(statuses, status => Assert.True(status is HttpStatusCode.Created or HttpStatusCode.OK or HttpStatusCode.Conflict));
        Assert.Equal(2L, await api.Database.ScalarAsync<long>("SELECT count(*) FROM webhooks WHERE url ILIKE '%/hook?%'", Token));
        var problem = await client.PostProblemAsync("", """{"url":"https://198.41.0.4/hook"}""", HttpStatusCode.Conflict, "webhook_url_limit");
        Assert.Contains("2", (string)problem["detail"]!, StringComparison.Ordinal);
        await api.As("user-2").CreateWebhookAsync(url: "https://198.41.0.4/hook");
        var third = (await client.CreateWebhookAsync(url: "https://198.41.0.4/third")).Id();
        await api.Database.ExecuteAsync($"UPDATE durable_cursors SET epoch = 5 WHERE owner = 'webhook:{third}'", Token);
        using var refused = await client.PatchAsync(
            $"{WebhookCalls.Path}/{third}", Answers.Json("""{"url":"https://198.41.0.4/hook","description":"moved"}"""), Token);
        await refused.ProblemAsync(HttpStatusCode.Conflict, "webhook_url_limit");
        Assert.Equal("https://198.41.0.4/third", (string?)(await client.GetDataAsync($"/{third}"))["url"]);
        Assert.Null((await client.GetDataAsync($"/{third}"))["description"]);
        Assert.Equal(5L, await api.Database.ScalarAsync<long>($"SELECT epoch FROM durable_cursors WHERE owner = 'webhook:{third}'", Token));
    }

    [Fact]
    public async Task A_registration_waits_for_an_uncommitted_one_of_the_same_user()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["Webhooks:MaxPerUser"] = "1" });
        await using var connection = await api.Database.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await using (var other = new NpgsqlCommand(
            """
            SELECT pg_advisory_xact_lock(1398230083, hashtext('user-1'));
            INSERT INTO webhooks (id, user_id, url, signing_keys, created_at, updated_at) VALUES ('wh-1', 'user-1', '', '', now(), now());
            """,
            connection,
            transaction))
        {
            await other.ExecuteNonQueryAsync(Token);
        }

        var registering = api.As("user-1").PostProblemAsync("", """{"url":"https://198.41.0.4/"}""", HttpStatusCode.Conflict, "webhook_limit");
        while (!registering.IsCompleted && await api.Database.ScalarAsync<long>(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1398230083 AND NOT granted", Token) == 0)
        {
            await Task.Yield();
        }

        Assert.False(registering.IsCompleted);
        await transaction.CommitAsync(Token);
        await registering;
    }

    [Fact]
    public async Task Another_users_webhooks_are_not_found()
    {
        await using var api = await TestApi.StartAsync(servers);
        var id = (await api.As("user-1").CreateWebhookAsync()).Id();
        var delivery = (await api.As("user-1").PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted)).Id();
        var own = (await api.As("user-2").CreateWebhookAsync()).Id();
        var before = await StateAsync();
        var otherUser = api.As("user-2");

        (string Method, string Path, string? Body)[] requests =
        [
            ("GET", $"/{id}", null),
            ("PATCH", $"/{id}", """{"enabled":false,"url":"https://198.41.0.9/"}"""),
            ("PATCH", $"/{id}", """{"enabled":true}"""),
            ("DELETE", $"/{id}", null),
            ("POST", $"/{id}/rotate-secret", "{}"),
            ("POST", $"/{id}/test", null),
            ("POST", $"/{id}/replay", """{"since":0}"""),
            ("GET", $"/{id}/deliveries", null),
            ("GET", $"/{id}/deliveries/{delivery}", null),
            ("GET", $"/{own}/deliveries/{delivery}", null),
            ("POST", $"/{id}/deliveries/{delivery}/replay", null),
            ("POST", $"/{own}/deliveries/{delivery}/replay", null),
            ("GET", "/wh-1", null),
            ("GET", "/wh-%01", null),
            ("PATCH", $"/{WebhookIds.NewWebhook()}", "{}"),
            ("DELETE", $"/{WebhookIds.NewWebhook()}", null),
            ("POST", $"/{WebhookIds.NewWebhook()}/test", null),
            ("POST", $"/{own}/deliveries/{WebhookIds.NewDelivery()}/replay", null),
        ];
        foreach (var (method, path, body) in requests)
        {
            using var request = new HttpRequestMessage(new(method), WebhookCalls.Path + path) { Content = body is null ? null : Answers.Json(body) };
            using var response = await otherUser.SendAsync(request, Token);
            await response.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        }

        Assert.Equal(before, await StateAsync());

        Task<string?> StateAsync() => api.Database.ScalarAsync<string>(
            $"""
            SELECT (SELECT w::text FROM webhooks w WHERE id = '{id}') || (SELECT c::text FROM durable_cursors c WHERE owner = 'webhook:{id}')
                || (SELECT d::text FROM webhook_deliveries d)
            """,
            Token);
    }
}
