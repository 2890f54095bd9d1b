using System.Globalization;
using Microsoft.Extensions.Logging;
using StatusUpdates.Bot.Notifications;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Bot;

public sealed class NotificationTests(TestServers servers)
{
    private const long Chat = 7;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Every_status_change_is_a_message_and_progress_edits_the_latest_one()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.UntilNotifiedAsync(Chat);
        await scene.ProgressAsync(id, 30);
        await scene.UntilNotifiedAsync(Chat);
        await scene.ProgressAsync(id, 60);
        await scene.UntilNotifiedAsync(Chat);
        await scene.ChangeAsync(id, GenerationStatus.Completed, c => c with { ResultUrls = ["https://example.com/1.png"], TokensUsed = 10 });
        await scene.UntilNotifiedAsync(Chat);

        Assert.Equal(
            [
                BotScene.Line("pending", id), BotScene.Line("processing", id), "edit", "edit",
                BotScene.Line("completed", id), "photo https://example.com/1.png",
            ],
            scene.Accepted(Chat));
        var tag = NotificationText.TagOf(id);
        Assert.Equal($"Your product_card generation is processing!\n60%\n{tag}", scene.Telegram.TextOf(Chat, 2));
        Assert.Equal($"Your product_card generation is completed!\n10 tokens\n{tag}", scene.Telegram.TextOf(Chat, 3));
        Assert.All(scene.Telegram.Calls, call => Assert.Null(call.Parameters["parse_mode"]));

        // Nothing is kept for a generation that has ended.
        Assert.Equal(0, await scene.Database.ScalarAsync<long>("SELECT count(*) FROM telegram_messages", Token));
    }

    [Fact]
    public async Task A_generation_of_any_type_is_named_by_it()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync(type: "poster");
        await scene.UntilNotifiedAsync(Chat);

        Assert.Equal([$"Your poster generation is pending! {NotificationText.TagOf(id)}"], scene.Accepted(Chat));
    }

    [Fact]
    public async Task Changes_made_while_the_bot_was_down_are_sent_in_order_with_only_the_last_progress()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await scene.LinkAsync("bob", 8);
        var first = await scene.SubmitAsync();
        await scene.ProcessAsync(first);
        var second = await scene.SubmitAsync();
        await scene.ProcessAsync(second);
        for (var progress = 1; progress <= 90; progress++)
        {
            await scene.ProgressAsync(first, progress);
        }

        await scene.ChangeAsync(second, GenerationStatus.Failed, c => c with { ErrorMessage = "Out of paint." });
        await using var bot = await scene.StartBotAsync();
        await scene.UntilNotifiedAsync(Chat);

        Assert.Equal(
            [
                BotScene.Line("pending", first), BotScene.Line("processing", first), BotScene.Line("pending", second), BotScene.Line("processing", second),
                "edit", BotScene.Line("failed", second),
            ],
            scene.Accepted(Chat));
        Assert.Contains("90%", scene.Telegram.TextOf(Chat, 2), StringComparison.Ordinal);
        Assert.EndsWith("\n\nOut of paint.", scene.Telegram.TextOf(Chat, 5), StringComparison.Ordinal);
        Assert.Empty(scene.Accepted(8));
    }

    [Fact]
    public async Task The_chat_is_notified_of_a_failed_attempt_and_of_the_next_one()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.ChangeAsync(id, GenerationStatus.Pending, c => c with
        {
            ErrorMessage = "The provider is busy.",
            RunAfter = TimeSpan.FromSeconds(2),
            CountsAsFailure = true,
        });
        await scene.ProcessAsync(id);
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal(
            [BotScene.Line("pending", id), BotScene.Line("processing", id), BotScene.Line("pending", id), BotScene.Line("processing", id)],
            scene.Accepted(Chat));
        Assert.Matches(
            @"^Your product_card generation is pending!\nnext attempt at \d\d:\d\d:\d\d UTC\n#gen_\w+\n\nThe provider is busy\.$",
            scene.Telegram.TextOf(Chat, 3));
        Assert.Contains("attempt 2", scene.Telegram.TextOf(Chat, 4), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_text_is_never_longer_than_Telegram_allows()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        var id = await scene.SubmitAsync();
        var update = (await scene.Database.Log.ReadAfterAsync("alice", 0, 1, Token)).Items[0] with
        {
            Status = GenerationStatus.Failed,
            Metadata = new StatusMetadata { ErrorMessage = string.Concat(Enumerable.Repeat("😀", 4000)) },
        };
        var text = NotificationText.Of(update);
        Assert.InRange(text.Length, 4095, 4096);
        Assert.True(StatusUpdates.Data.Log.ProviderText.IsClean(text));
        Assert.Contains(NotificationText.TagOf(id), text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_group_that_became_a_supergroup_is_notified_under_its_new_id()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", -7);
        scene.Telegram.Always = call => call.ChatId == -7 ? FakeReply.Migrated(-1007) : null;
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.UntilNotifiedAsync(-1007);
        Assert.Equal([BotScene.Line("pending", id)], scene.Accepted(-1007));
        Assert.Single(scene.Telegram.Calls, call => call.ChatId == -7);
    }

    [Fact]
    public async Task A_chat_whose_position_is_outside_the_log_is_notified_once_and_continues_from_the_head()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.Database.ExecuteAsync(
            "DELETE FROM status_events WHERE seq = 1; UPDATE user_streams SET oldest_seq = 2", Token);
        await using var bot = await scene.StartBotAsync();
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal([NotificationText.Resync], scene.Accepted(Chat));
        await scene.ChangeAsync(id, GenerationStatus.Failed, c => c with { ErrorMessage = "x" });
        await scene.UntilNotifiedAsync(Chat);

        // As after a restore from an older backup: the position is above the head.
        await scene.Database.ExecuteAsync("UPDATE durable_cursors SET last_seq = 1000", Token);
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal([NotificationText.Resync, BotScene.Line("failed", id), NotificationText.Resync], scene.Accepted(Chat));
    }

    [Fact]
    public async Task A_stopping_bot_finishes_and_stores_what_it_is_sending_and_the_next_one_continues_after_it()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        scene.Telegram.Next(new FakeReply.After(release.Task));
        var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.Telegram.WaitForAsync(1);
        var stopping = bot.StopAsync();
        Assert.False(stopping.IsCompleted);
        release.SetResult();
        await stopping;
        await bot.DisposeAsync();
        Assert.Equal([BotScene.Line("pending", id)], scene.Accepted(Chat));
        Assert.Equal("1 true", await scene.Database.ScalarAsync<string>(
            "SELECT concat_ws(' ', last_seq, CASE WHEN lease_expires_at IS NULL THEN 'true' END) FROM durable_cursors", Token));

        await using var next = await scene.StartBotAsync();
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal([BotScene.Line("pending", id), BotScene.Line("processing", id)], scene.Accepted(Chat));
    }

    [Fact]
    public async Task A_chat_is_sent_no_more_than_its_rate_allows_and_delays_no_other_chat()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await scene.LinkAsync("bob", 8);
        var ids = new List<string>();
        for (var n = 0; n < 6; n++)
        {
            ids.Add(await scene.SubmitAsync());
        }

        var started = TimeProvider.System.GetTimestamp();
        await using var bot = await scene.StartBotAsync(("Telegram:ChatMessagesPerSecond", "2"), ("Telegram:ChatBurst", "2"), ("Cursors:Slots", "1"));
        await scene.Telegram.WaitForAsync(2, call => call.ChatId == Chat);
        var bobs = await scene.SubmitAsync("bob");
        await scene.UntilNotifiedAsync(8);
        Assert.Equal([BotScene.Line("pending", bobs)], scene.Accepted(8));
        await scene.UntilNotifiedAsync(Chat);
        Assert.True(TimeProvider.System.GetElapsedTime(started).TotalSeconds >= 1.5);
        Assert.Equal(ids.Select(id => BotScene.Line("pending", id)), scene.Accepted(Chat));
    }

    [Fact]
    public async Task Two_bots_share_the_chats_and_send_each_change_once()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        for (var chat = 1; chat <= 10; chat++)
        {
            await scene.LinkAsync(string.Create(CultureInfo.InvariantCulture, $"user-{chat}"), chat);
        }

        await using var one = await scene.StartBotAsync();
        await using var two = await scene.StartBotAsync();
        var expected = new Dictionary<long, List<string>>();
        for (var chat = 1; chat <= 10; chat++)
        {
            expected[chat] = [];
            for (var n = 0; n < 5; n++)
            {
                expected[chat].Add(BotScene.Line("pending", await scene.SubmitAsync(string.Create(CultureInfo.InvariantCulture, $"user-{chat}"))));
            }
        }

        foreach (var (chat, lines) in expected)
        {
            await scene.UntilNotifiedAsync(chat);
            Assert.Equal(lines, scene.Accepted(chat));
        }
    }

    [Fact]
    public async Task An_unlinked_chat_gets_nothing_more_even_in_the_middle_of_a_backlog()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await scene.SubmitAsync();
        await scene.SubmitAsync();
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        scene.Telegram.Next(new FakeReply.After(release.Task));
        await using var bot = await scene.StartBotAsync();
        var call = (await scene.Telegram.WaitForAsync(1))[0];
        Assert.True(await scene.Links.UnlinkAsync(Chat, "alice", null, Token));
        release.SetResult();
        await FakeTelegram.AnsweredAsync(call);
        await scene.LinkAsync("bob", 8);
        await scene.SubmitAsync("bob");
        await scene.UntilNotifiedAsync(8);
        Assert.Single(scene.Accepted(Chat));
        await Eventually.TrueAsync(() => scene.Accepted(8).Count == 1);
    }

    [Fact]
    public async Task Chats_of_another_bot_are_neither_notified_nor_unlinked_by_this_one()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.Links.LinkAsync(await scene.CodeAsync("alice"), FakeTelegram.BotId + 1, Chat, null, null, Token);
        await scene.LinkAsync("alice", 8);
        scene.Telegram.Always = call => call.ChatId == Chat ? FakeReply.ChatNotFound : null;
        var logs = new CollectedLogs();
        await using var bot = await scene.StartBotAsync(builder => builder.Logging.AddProvider(logs));
        await scene.SubmitAsync();
        await scene.UntilNotifiedAsync(8);
        await scene.SubmitAsync();
        await scene.UntilNotifiedAsync(8);
        Assert.DoesNotContain(scene.Telegram.Calls, call => call.ChatId == Chat);
        Assert.Equal([Chat, 8], (await scene.Links.ListAsync("alice", Token)).Select(chat => chat.ChatId));
        await Eventually.TrueAsync(() => logs.Lines.Any(line => line.Contains("1 chats are linked to other bots than 123456789", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_message_that_waits_for_the_rate_limit_is_not_sent_if_its_chat_changes_its_user_meanwhile()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await scene.LinkAsync("bob", 8);
        await using var bot = await scene.StartBotAsync(("Telegram:MessagesPerSecond", "0.1"));
        await scene.SubmitAsync("bob");
        await scene.UntilNotifiedAsync(8);
        await scene.SubmitAsync();
        await scene.Database.UntilAsync("SELECT lease_expires_at IS NOT NULL FROM durable_cursors WHERE owner LIKE '%:7'");
        await scene.LinkAsync("carol", Chat);
        await scene.SubmitAsync("bob");
        await scene.UntilNotifiedAsync(8);
        Assert.Empty(scene.Accepted(Chat));
    }
}
