using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using StatusUpdates.ChatLinks;
using StatusUpdates.Data.Cursors;

namespace StatusUpdates.Tests.Api;

public sealed class BotLinkTests(TestServers servers)
{
    private const string Path = "/api/v1/bot/links";
    private const long Bot = 5;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_code_fits_a_Telegram_start_link_lasts_ten_minutes_and_is_stored_as_a_hash()
    {
        await using var api = await TestApi.StartAsync(servers);
        var before = TimeProvider.System.GetUtcNow();
        var link = await CreateAsync(api, "alice");
        var after = TimeProvider.System.GetUtcNow();

        Assert.Equal(["code", "expiresAt"], link.Select(member => member.Key));
        Assert.Matches("^[A-Za-z0-9_-]{43}$", (string)link["code"]!);
        var expiresAt = DateTimeOffset.Parse((string)link["expiresAt"]!, CultureInfo.InvariantCulture);
        Assert.InRange(expiresAt, before.AddMinutes(10).AddSeconds(-2), after.AddMinutes(10).AddSeconds(2));
        Assert.Equal(32, await api.Database.ScalarAsync<int>("SELECT octet_length(hash) FROM telegram_link_codes", Token));
        Assert.NotEqual((string)link["code"]!, (string)(await CreateAsync(api, "alice"))["code"]!);
    }

    [Fact]
    public async Task With_a_configured_bot_name_a_code_comes_with_the_URL_that_opens_the_bot()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["Telegram:BotName"] = "status_updates_bot" });
        var link = await CreateAsync(api, "alice");
        Assert.Equal($"https://t.me/status_updates_bot?start={link["code"]}", (string?)link["url"]);
    }

    [Fact]
    public async Task A_code_links_one_chat_to_its_user_at_the_logs_head_and_works_once()
    {
        await using var api = await TestApi.StartAsync(servers);
        var links = new TelegramLinkStore(api.Database.Database);
        await api.Database.SubmitAsync("alice", cancellationToken: Token);
        var code = (string)(await CreateAsync(api, "alice"))["code"]!;

        Assert.Equal("alice", await links.LinkAsync(code, Bot, 7, "Alice", null, Token));
        Assert.Null(await links.LinkAsync(code, Bot, 7, "Alice", null, Token));
        Assert.Null(await links.LinkAsync(code, Bot, 8, "Mallory", null, Token));
        Assert.Equal("telegram-5 alice 1", await CursorAsync(api, 7));
        Assert.Null(await CursorAsync(api, 8));

        var chat = Assert.Single((await ListAsync(api, "alice")).AsArray())!.AsObject();
        Assert.Equal(["id", "chatName", "linkedAt"], chat.Select(member => member.Key));
        Assert.Equal((7, "Alice"), ((int)chat["id"]!, (string?)chat["chatName"]));
        Assert.Empty((await ListAsync(api, "bob")).AsArray());
    }

    [Fact]
    public async Task A_chat_relinked_to_another_user_starts_afresh_and_to_the_same_user_continues()
    {
        await using var api = await TestApi.StartAsync(servers);
        var links = new TelegramLinkStore(api.Database.Database);
        await links.LinkAsync((string)(await CreateAsync(api, "alice"))["code"]!, Bot, 7, "Alice", null, Token);
        await api.Database.SubmitAsync("alice", cancellationToken: Token);
        await api.Database.SubmitAsync("bob", cancellationToken: Token);
        await api.Database.SubmitAsync("bob", cancellationToken: Token);
        await api.Database.ExecuteAsync(
            "INSERT INTO telegram_messages (chat_id, generation_id, message_id, status, updated_at) VALUES (7, 'gen-1', 1, 'pending', now())", Token);

        await links.LinkAsync((string)(await CreateAsync(api, "alice"))["code"]!, Bot, 7, "Alice B.", null, Token);
        Assert.Equal("telegram-5 alice 0", await CursorAsync(api, 7));
        Assert.Equal(1, await api.Database.ScalarAsync<long>("SELECT count(*) FROM telegram_messages", Token));

        await api.Database.ExecuteAsync("UPDATE durable_cursors SET state = '{}', epoch = 5, lease_expires_at = now() + interval '1 hour'", Token);
        await links.LinkAsync((string)(await CreateAsync(api, "bob"))["code"]!, Bot, 7, null, null, Token);
        Assert.Equal("telegram-5 bob 2", await CursorAsync(api, 7));
        Assert.True(await api.Database.ScalarAsync<bool>("SELECT state IS NULL AND epoch = 6 AND lease_expires_at IS NULL FROM durable_cursors", Token));
        Assert.Equal(0, await api.Database.ScalarAsync<long>("SELECT count(*) FROM telegram_messages", Token));
        Assert.Empty((await ListAsync(api, "alice")).AsArray());
        Assert.Equal(["id", "linkedAt"], (await ListAsync(api, "bob"))[0]!.AsObject().Select(member => member.Key));
    }

    [Fact]
    public async Task The_former_holder_of_an_unlinked_chats_cursor_cannot_save_it_once_the_chat_is_relinked()
    {
        await using var api = await TestApi.StartAsync(servers);
        var links = new TelegramLinkStore(api.Database.Database);
        var cursors = new CursorStore(api.Database.Database);
        var claim = new CursorClaim(TelegramLinkStore.CursorKind(Bot), 1, 1, TimeSpan.FromMinutes(1), []);
        await links.LinkAsync((string)(await CreateAsync(api, "alice"))["code"]!, Bot, 7, null, null, Token);
        await api.Database.SubmitAsync("alice", cancellationToken: Token);
        var former = Assert.Single(await cursors.ClaimOfUsersAsync(claim, ["alice"], Token));
        Assert.True(await links.UnlinkAsync(7, "alice", null, Token));
        await links.LinkAsync((string)(await CreateAsync(api, "alice"))["code"]!, Bot, 7, null, null, Token);
        await api.Database.SubmitAsync("alice", cancellationToken: Token);
        Assert.Single(await cursors.ClaimOfUsersAsync(claim, ["alice"], Token));
        await Assert.ThrowsAsync<CursorLostException>(() => cursors.SaveAsync(former, new CursorSave(99), null, Token));
        Assert.Equal("telegram-5 alice 1", await CursorAsync(api, 7));
    }

    [Fact]
    public async Task A_chat_relinked_by_another_bot_continues_where_the_former_bot_was()
    {
        await using var api = await TestApi.StartAsync(servers);
        var links = new TelegramLinkStore(api.Database.Database);
        await links.LinkAsync((string)(await CreateAsync(api, "alice"))["code"]!, Bot + 1, 7, null, null, Token);
        await api.Database.SubmitAsync("alice", cancellationToken: Token);
        await api.Database.ExecuteAsync(
            "INSERT INTO telegram_messages (chat_id, generation_id, message_id, status, updated_at) VALUES (7, 'gen-1', 1, 'pending', now())", Token);
        await links.LinkAsync((string)(await CreateAsync(api, "alice"))["code"]!, Bot, 7, null, null, Token);
        Assert.Equal("telegram-5 alice 0", await CursorAsync(api, 7));
        Assert.Equal(1, await api.Database.ScalarAsync<long>("SELECT count(*) FROM durable_cursors", Token));
        Assert.Equal(0, await api.Database.ScalarAsync<long>("SELECT count(*) FROM telegram_messages", Token));
        Assert.Equal((0L, 1L), (await links.CountLinksOfOtherBotsAsync(Bot, Token), await links.CountLinksOfOtherBotsAsync(Bot + 1, Token)));

        await links.LinkAsync((string)(await CreateAsync(api, "bob"))["code"]!, Bot + 1, 7, null, null, Token);
        Assert.Null(await CursorAsync(api, 7));
        Assert.Equal(1, await api.Database.ScalarAsync<long>("SELECT count(*) FROM durable_cursors WHERE user_id = 'bob' AND owner = 'telegram-6:7'", Token));
    }

    [Fact]
    public async Task A_code_that_has_expired_or_was_never_issued_links_nothing()
    {
        await using var api = await TestApi.StartAsync(servers);
        var links = new TelegramLinkStore(api.Database.Database);
        var code = (string)(await CreateAsync(api, "alice"))["code"]!;
        await api.Database.ExecuteAsync("UPDATE telegram_link_codes SET expires_at = clock_timestamp()", Token);
        foreach (var bad in new[] { code, "", "x", new string('A', 43), new string('é', 43), new string('A', 4000) })
        {
            Assert.Null(await links.LinkAsync(bad, Bot, 7, "Alice", null, Token));
        }

        Assert.Null(await CursorAsync(api, 7));

        // The next code replaces the expired one.
        await CreateAsync(api, "alice");
        Assert.Equal(1, await api.Database.ScalarAsync<long>("SELECT count(*) FROM telegram_link_codes", Token));
    }

    [Fact]
    public async Task Only_its_user_can_unlink_a_chat_which_removes_its_cursor_and_its_messages()
    {
        await using var api = await TestApi.StartAsync(servers);
        var links = new TelegramLinkStore(api.Database.Database);
        await links.LinkAsync((string)(await CreateAsync(api, "alice"))["code"]!, Bot, -1007, "A group", null, Token);
        await api.Database.ExecuteAsync(
            "INSERT INTO telegram_messages (chat_id, generation_id, message_id, status, updated_at) VALUES (-1007, 'gen-1', 1, 'pending', now())", Token);

        foreach (var (user, id) in new[] { ("bob", "-1007"), ("alice", "1007"), ("alice", "x"), ("alice", "-1007.0"), ("alice", "99999999999999999999"), ("alice", "%20") })
        {
            using var refused = await api.As(user).DeleteAsync($"{Path}/{id}", Token);
            await refused.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        }

        using var response = await api.As("alice").DeleteAsync($"{Path}/-1007", Token);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        using var again = await api.As("alice").DeleteAsync($"{Path}/-1007", Token);
        await again.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        Assert.Null(await CursorAsync(api, -1007));
        Assert.Equal(0, await api.Database.ScalarAsync<long>(
            "SELECT (SELECT count(*) FROM telegram_messages) + (SELECT count(*) FROM telegram_links)", Token));
    }

    [Fact]
    public async Task Codes_and_chats_of_a_user_are_limited_even_under_concurrent_requests()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["Telegram:MaxChats"] = "6" });
        var links = new TelegramLinkStore(api.Database.Database);
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => api.As("alice").PostAsync(Path, null, Token)));
        var issued = answers.Where(answer => answer.StatusCode == HttpStatusCode.Created).ToList();
        Assert.Equal(5, issued.Count);
        foreach (var refused in answers.Except(issued))
        {
            await refused.ProblemAsync(HttpStatusCode.Conflict, "too_many_link_codes");
        }

        // Three chats and two codes leave room for one code; another user has their own limits.
        for (var chat = 0; chat < 3; chat++)
        {
            await links.LinkAsync((string)(await issued[chat].DataAsync(HttpStatusCode.Created))["code"]!, Bot, chat + 1, null, null, Token);
        }

        await CreateAsync(api, "alice");
        using var full = await api.As("alice").PostAsync(Path, null, Token);
        await full.ProblemAsync(HttpStatusCode.Conflict, "too_many_chats");
        await CreateAsync(api, "bob");
        using var unlinked = await api.As("alice").DeleteAsync($"{Path}/1", Token);
        await CreateAsync(api, "alice");
        Assert.All(answers, answer => answer.Dispose());
    }

    [Fact]
    public async Task A_group_whose_chat_id_changes_stays_linked_at_its_position()
    {
        await using var api = await TestApi.StartAsync(servers);
        var links = new TelegramLinkStore(api.Database.Database);
        await api.Database.SubmitAsync("alice", cancellationToken: Token);
        await links.LinkAsync((string)(await CreateAsync(api, "alice"))["code"]!, Bot, -7, "A group", null, Token);
        await api.Database.ExecuteAsync("""UPDATE durable_cursors SET state = '{"a":1}'""", Token);
        await links.MoveAsync(Bot, -7, -1007, Token);
        Assert.Equal("telegram-5 alice 1", await CursorAsync(api, -1007));
        Assert.Equal("""{"a": 1}""", await api.Database.ScalarAsync<string>("SELECT state::text FROM durable_cursors", Token));
        Assert.Null(await CursorAsync(api, -7));
        Assert.Equal("alice", await links.FindUserAsync(Bot, -1007, Token));
        Assert.Null(await links.FindUserAsync(Bot, -7, Token));

        // If the new chat is already linked, the old link is removed.
        await links.LinkAsync((string)(await CreateAsync(api, "bob"))["code"]!, Bot, -8, null, null, Token);
        await links.MoveAsync(Bot, -8, -1007, Token);
        Assert.Equal("alice", await links.FindUserAsync(Bot, -1007, Token));
        Assert.Null(await CursorAsync(api, -8));
    }

    [Theory]
    [InlineData("Telegram:BotName", "@bot", "Telegram:BotName must be the bot's user name")]
    [InlineData("Telegram:MaxChats", "0", "Telegram:MaxChats must be between 1 and 1000.")]
    public async Task A_setting_out_of_range_fails_the_start_with_an_error_that_names_it(string key, string value, string message)
    {
        var failure = await Assert.ThrowsAnyAsync<OptionsValidationException>(
            () => TestApi.StartAsync(servers, new Dictionary<string, string?> { [key] = value }));
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    private static async Task<JsonObject> CreateAsync(TestApi api, string userId)
    {
        using var response = await api.As(userId).PostAsync(Path, null, Token);
        return (await response.DataAsync(HttpStatusCode.Created)).AsObject();
    }

    private static async Task<JsonNode> ListAsync(TestApi api, string userId)
    {
        using var response = await api.As(userId).GetAsync(Path, Token);
        return (await response.DataAsync())["items"]!;
    }

    private static Task<string?> CursorAsync(TestApi api, long chatId) => api.Database.ScalarAsync<string>(
        $"SELECT concat_ws(' ', kind, user_id, last_seq) FROM durable_cursors WHERE owner = 'telegram-{Bot}:{chatId}'", Token);
}
