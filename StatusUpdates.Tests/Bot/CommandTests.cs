using System.Text.Json.Nodes;
using StatusUpdates.Bot.Commands;
using StatusUpdates.Bot.Notifications;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Bot;

public sealed class CommandTests(TestServers servers)
{
    private const long Chat = 7;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Commands_link_a_notified_chat_report_its_status_and_unlink_it()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync();
        Assert.Equal(CommandHandler.Linked, await AskAsync(scene, Chat, $"/start {await scene.CodeAsync("alice")}"));
        var chat = Assert.Single(await scene.Links.ListAsync("alice", Token));
        Assert.Equal((Chat, "@alice"), (chat.ChatId, chat.ChatName));
        Assert.Equal(CommandHandler.NoGenerations, await AskAsync(scene, Chat, "/status"));

        var ids = new List<string>();
        for (var n = 0; n < 6; n++)
        {
            ids.Add(await scene.SubmitAsync());
        }

        await scene.UntilNotifiedAsync(Chat);
        await scene.Database.ExecuteAsync($"UPDATE generations SET status = 'processing', progress = 40 WHERE id = '{ids[5]}'", Token);
        Assert.Equal(
            $"{NotificationText.TagOf(ids[5])} product_card: processing, 40%\n" + string.Join(
                '\n', Enumerable.Range(1, 4).Reverse().Select(n => $"{NotificationText.TagOf(ids[n])} product_card: pending")),
            await AskAsync(scene, Chat, "/status"));

        Assert.Equal(CommandHandler.Unlinked, await AskAsync(scene, Chat, "/stop"));
        Assert.Equal(0, await scene.Database.ScalarAsync<long>(
            "SELECT (SELECT count(*) FROM telegram_links) + (SELECT count(*) FROM durable_cursors) + (SELECT count(*) FROM telegram_messages)", Token));
        Assert.Equal(CommandHandler.NotLinked, await AskAsync(scene, Chat, "/stop"));
        Assert.Equal(CommandHandler.NotLinked, await AskAsync(scene, Chat, "/status"));
    }

    [Fact]
    public async Task Start_without_a_code_gets_an_explanation_a_bad_code_gets_an_error_and_anything_else_gets_help()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync();
        var used = await scene.CodeAsync("alice");
        await scene.Links.LinkAsync(used, FakeTelegram.BotId, 8, null, null, Token);
        Assert.Equal(CommandHandler.Explanation, await AskAsync(scene, Chat, "/start"));
        foreach (var bad in new[] { used, "x", new string('A', 43), "two words", "'; DROP TABLE telegram_links; --", "😀" })
        {
            Assert.Equal(CommandHandler.BadCode, await AskAsync(scene, Chat, $"/start {bad}"));
        }

        foreach (var other in new[] { "hello", "/help", "/unknown", "/", "/ start", "// start", "/START@status_test_bot extra words" })
        {
            Assert.Equal(
                other.Contains("START", StringComparison.Ordinal) ? CommandHandler.BadCode : CommandHandler.Help, await AskAsync(scene, Chat, other));
        }
    }

    [Fact]
    public async Task In_a_group_the_bot_answers_only_its_own_commands()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync();
        Assert.Equal(CommandHandler.Linked, await AskAsync(scene, -1007, $"/start@Status_Test_Bot {await scene.CodeAsync("alice")}"));
        Assert.Equal((-1007L, "A group"), ((await scene.Links.ListAsync("alice", Token))[0] is var chat ? (chat.ChatId, chat.ChatName) : default));
        scene.Telegram.Say(-1007, "hello everybody");
        scene.Telegram.Say(-1007, "/status@another_bot");
        scene.Telegram.Say(-1007, "/stop@another_bot");
        scene.Telegram.Say(-1007, "/weather");
        Assert.Equal(CommandHandler.NoGenerations, await AskAsync(scene, -1007, "/status"));
        Assert.Equal(CommandHandler.Help, await AskAsync(scene, -1007, "/weather@status_test_bot"));
        Assert.Equal(3, scene.Telegram.Calls.Count);
    }

    [Fact]
    public async Task Commands_redelivered_after_a_crash_have_no_further_effect()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        var start = scene.Telegram.Say(Chat, $"/start {await scene.CodeAsync("alice")}");
        await using (await scene.StartBotAsync())
        {
            await scene.Telegram.WaitForAsync(1);
            await Eventually.TrueAsync(() => scene.Telegram.Polls > 1);
        }

        scene.Telegram.Redeliver(start);
        await using var bot = await scene.StartBotAsync();
        var answers = await scene.Telegram.WaitForAsync(2);
        Assert.Equal([CommandHandler.Linked, CommandHandler.BadCodeWhileLinked], answers.Select(call => call.Text));
        Assert.Single(await scene.Links.ListAsync("alice", Token));
    }

    [Fact]
    public async Task A_command_that_fails_is_answered_and_the_next_one_is_executed()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await using var bot = await scene.StartBotAsync();
        await Eventually.TrueAsync(() => scene.Telegram.Polls > 0);
        await scene.Database.ExecuteAsync("ALTER TABLE telegram_links RENAME TO elsewhere", Token);
        Assert.Equal(CommandHandler.Failed, await AskAsync(scene, Chat, "/status"));
        await scene.Database.ExecuteAsync("ALTER TABLE elsewhere RENAME TO telegram_links", Token);
        Assert.Equal(CommandHandler.NoGenerations, await AskAsync(scene, Chat, "/status"));

        // An answer that is not accepted is retried, and one that never is accepted delays no other chat.
        scene.Telegram.Next(FakeReply.ServerError);
        scene.Telegram.Next(new FakeReply.CloseBefore());
        Assert.Equal(CommandHandler.NoGenerations, (await AskManyAsync(scene, Chat, "/status", 3))[^1].Text);
        scene.Telegram.Always = call => call.ChatId == 9 ? FakeReply.ServerError : null;
        scene.Telegram.Say(9, "/status");
        Assert.Equal(CommandHandler.NoGenerations, await AskAsync(scene, Chat, "/status"));
        scene.Telegram.Always = call => call.ChatId == 9 ? FakeReply.Blocked : null;
        scene.Telegram.Say(9, "/status");
        Assert.Equal(CommandHandler.NoGenerations, await AskAsync(scene, Chat, "/status"));
    }

    [Fact]
    public async Task Only_one_of_two_bots_polls_and_the_other_takes_over_when_it_stops_or_loses_its_connection()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        var one = await scene.StartBotAsync();
        Assert.Equal(CommandHandler.Help, await AskAsync(scene, Chat, "1"));
        var polls = scene.Telegram.Polls;
        await using var two = await scene.StartBotAsync();
        Assert.Equal(CommandHandler.Help, await AskAsync(scene, Chat, "2"));

        // One poll per message: a poll by the other instance would have failed the first one. (The poll that returns the message may have started before.)
        Assert.InRange(scene.Telegram.Polls - polls, 0, 2);
        await one.StopAsync();
        await one.DisposeAsync();
        Assert.Equal(CommandHandler.Help, await AskAsync(scene, Chat, "3"));

        await scene.Database.ExecuteAsync(
            $"""
            SELECT pg_terminate_backend(pid) FROM pg_locks
            WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND (classid::bigint << 32) + objid::bigint = {CommandPoller.LockOf(FakeTelegram.BotId)}
            """,
            Token);
        await using var three = await scene.StartBotAsync();
        Assert.Equal(CommandHandler.Help, await AskAsync(scene, Chat, "4"));
    }

    [Fact]
    public async Task While_Telegram_is_away_the_bot_keeps_polling_and_misses_nothing()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync(("Telegram:MaxRetryBackOff", "00:00:00.100"));
        Assert.Equal(CommandHandler.Help, await AskAsync(scene, Chat, "1"));
        await scene.Telegram.StopAsync();
        scene.Telegram.Say(Chat, "2");
        await scene.Telegram.ListenAsync();
        await scene.Telegram.WaitForAsync(2);
        Assert.Equal(2, scene.Telegram.Calls.Count);
    }

    [Fact]
    public async Task A_message_that_cannot_be_read_is_skipped_and_one_with_unknown_content_is_handled()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync();
        scene.Telegram.Say(new JsonObject { ["message_id"] = 1, ["chat"] = "no chat", ["text"] = "/status" });
        scene.Telegram.Say(new JsonObject { ["message_id"] = 1, ["text"] = "/status" });
        scene.Telegram.Say(new JsonObject
        {
            ["message_id"] = 1,
            ["date"] = 1_700_000_000,
            ["chat"] = new JsonObject { ["id"] = 9, ["type"] = "private" },
            ["forward_origin"] = new JsonObject { ["type"] = "not_yet_invented", ["date"] = 1_700_000_000 },
            ["text"] = "/status",
        });
        Assert.Equal(CommandHandler.NotLinked, await AskAsync(scene, Chat, "/status"));
        Assert.Equal([9, Chat], scene.Telegram.Calls.Select(call => call.ChatId));
    }

    [Fact]
    public async Task A_chat_that_asks_too_often_or_has_to_wait_gets_no_answer_and_delays_no_other_chat()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync(("Telegram:ChatMessagesPerSecond", "0.01"), ("Telegram:ChatBurst", "2"));
        scene.Telegram.Next(FakeReply.RetryAfter(600), call => call.ChatId == 9);
        scene.Telegram.Say(9, $"/start {await scene.CodeAsync("alice")}");
        for (var n = 0; n < 5; n++)
        {
            scene.Telegram.Say(8, "/status");
        }

        Assert.Equal(CommandHandler.NotLinked, await AskAsync(scene, Chat, "/status"));
        Assert.Single(scene.Telegram.Calls, call => call.ChatId == 9);
        Assert.Equal(2, scene.Telegram.Calls.Count(call => call.ChatId == 8));
        Assert.Equal([9L], (await scene.Links.ListAsync("alice", Token)).Select(chat => chat.ChatId));
    }

    [Fact]
    public async Task In_a_group_with_topics_the_bot_answers_and_notifies_where_it_was_linked_even_while_General_is_closed()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync();
        scene.Telegram.CloseTopic(-1007, 0);
        scene.Telegram.SayInTopic(-1007, 5, $"/start {await scene.CodeAsync("alice")}");
        var linked = (await scene.Telegram.WaitForAsync(1))[0];
        Assert.Equal((CommandHandler.Linked, 5), (linked.Text, linked.TopicId));
        await FakeTelegram.AnsweredAsync(linked);

        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.ProgressAsync(id, 10);
        await scene.ChangeAsync(id, GenerationStatus.Completed, c => c with { ResultUrls = ["https://example.com/1.png"] });
        await scene.UntilNotifiedAsync(-1007);
        Assert.All(scene.Telegram.Calls.Where(call => call.Method != "editMessageText"), call => Assert.Equal(5, call.TopicId));
        Assert.Equal("photo https://example.com/1.png", scene.Accepted(-1007)[^1]);

        // A command in another topic is answered there, and a link from another topic moves the notifications there.
        scene.Telegram.SayInTopic(-1007, 6, "/status");
        var status = (await scene.Telegram.WaitForAsync(1, call => call.TopicId == 6))[0];
        Assert.True(status.IsAccepted);
        scene.Telegram.SayInTopic(-1007, 6, $"/start {await scene.CodeAsync("alice")}");
        await scene.Telegram.WaitForAsync(2, call => call.TopicId == 6);
        await scene.SubmitAsync();
        await scene.UntilNotifiedAsync(-1007);
        Assert.Equal(6, scene.Telegram.Calls[^1].TopicId);
        Assert.Single(await scene.Links.ListAsync("alice", Token));
    }

    [Fact]
    public async Task A_reply_thread_is_not_a_topic()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync();
        scene.Telegram.Say(new JsonObject
        {
            ["message_id"] = 9,
            ["message_thread_id"] = 4,
            ["date"] = 1_700_000_000,
            ["chat"] = new JsonObject { ["id"] = -1007, ["type"] = "supergroup", ["title"] = "A group" },
            ["text"] = $"/start {await scene.CodeAsync("alice")}",
        });
        var linked = (await scene.Telegram.WaitForAsync(1))[0];
        Assert.Equal((CommandHandler.Linked, null), (linked.Text, linked.TopicId));
    }

    [Fact]
    public async Task A_channel_is_linked_and_unlinked_by_posts_and_notified_in_between()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync();
        scene.Telegram.Post(-1009, "News of the day");
        scene.Telegram.Post(-1009, $"/start {await scene.CodeAsync("alice")}");
        Assert.Equal(CommandHandler.Linked, (await scene.Telegram.WaitForAsync(1))[0].Text);
        Assert.Equal("A channel", Assert.Single(await scene.Links.ListAsync("alice", Token)).ChatName);
        var id = await scene.SubmitAsync();
        await scene.UntilNotifiedAsync(-1009);
        Assert.Equal(BotScene.Line("pending", id), scene.Accepted(-1009)[^1]);
        scene.Telegram.Post(-1009, "/stop");
        Assert.Equal(CommandHandler.Unlinked, (await scene.Telegram.WaitForAsync(3))[2].Text);
        Assert.Empty(await scene.Links.ListAsync("alice", Token));
    }

    [Fact]
    public async Task Updates_of_other_kinds_are_not_requested_and_are_skipped_if_they_arrive()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync();
        var chat = new JsonObject { ["id"] = -1007, ["type"] = "supergroup", ["title"] = "A group" };
        scene.Telegram.AddUpdate("chat_join_request", new JsonObject
        {
            ["chat"] = chat.DeepClone(),
            ["from"] = new JsonObject { ["id"] = 9, ["is_bot"] = false, ["first_name"] = "Bob" },
            ["user_chat_id"] = 9,
            ["date"] = 1_700_000_000,
        });
        scene.Telegram.AddUpdate("edited_message", new JsonObject { ["message_id"] = 1, ["date"] = 1_700_000_000, ["chat"] = chat.DeepClone(), ["text"] = "/status" });
        Assert.Equal(CommandHandler.NotLinked, await AskAsync(scene, Chat, "/status"));
        Assert.Single(scene.Telegram.Calls);
        Assert.Equal(["message", "channel_post"], scene.Telegram.RequestedKinds);
    }

    [Fact]
    public async Task A_group_that_announces_its_migration_to_a_supergroup_is_notified_there_and_nothing_is_sent_to_the_old_chat()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync();
        Assert.Equal(CommandHandler.Linked, await AskAsync(scene, -7, $"/start {await scene.CodeAsync("alice")}"));
        scene.Telegram.Migrate(-7, -1007);
        await scene.Database.UntilAsync("SELECT count(*) = 1 FROM telegram_links WHERE chat_id = -1007");
        Assert.Equal([-1007L], (await scene.Links.ListAsync("alice", Token)).Select(chat => chat.ChatId));
        var id = await scene.SubmitAsync();
        await scene.UntilNotifiedAsync(-1007);
        Assert.Equal([BotScene.Line("pending", id)], scene.Accepted(-1007));
        Assert.Single(scene.Telegram.Calls, call => call.ChatId == -7);

        // A command that was sent before the migration is answered in the new chat.
        scene.Telegram.Say(-7, "/status@status_test_bot");
        await scene.Telegram.WaitForAsync(2, call => call.ChatId == -1007);
    }

    [Fact]
    public async Task A_chat_of_another_bot_is_not_unlinked_by_a_command_to_this_one()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.Links.LinkAsync(await scene.CodeAsync("alice"), FakeTelegram.BotId + 1, Chat, null, null, Token);
        await using var bot = await scene.StartBotAsync();
        Assert.Equal(CommandHandler.NotLinked, await AskAsync(scene, Chat, "/status"));
        Assert.Equal(CommandHandler.NotLinked, await AskAsync(scene, Chat, "/stop"));
        Assert.Single(await scene.Links.ListAsync("alice", Token));
        Assert.Equal(CommandHandler.Linked, await AskAsync(scene, Chat, $"/start {await scene.CodeAsync("alice")}"));
        await scene.SubmitAsync();
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal(4, scene.Telegram.Calls.Count);
    }

    private static async Task<string?> AskAsync(BotScene scene, long chatId, string text) => (await AskManyAsync(scene, chatId, text, 1))[^1].Text;

    private static async Task<IReadOnlyList<FakeCall>> AskManyAsync(BotScene scene, long chatId, string text, int calls)
    {
        var before = scene.Telegram.Calls.Count(call => call.ChatId == chatId);
        scene.Telegram.Say(chatId, text);
        var all = await scene.Telegram.WaitForAsync(before + calls, call => call.ChatId == chatId);
        await FakeTelegram.AnsweredAsync(all[^1]);
        return all;
    }
}
