using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Tests.Api;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Bot;

/// <summary>What chats get while Telegram, or the bot's right to write there, fails.</summary>
public sealed class NotificationFailureTests(TestServers servers)
{
    private const long Chat = 7;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_chat_that_has_to_wait_waits_as_long_as_Telegram_says_and_delays_no_other_chat()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await scene.LinkAsync("alice", 8);
        scene.Telegram.Next(FakeReply.RetryAfter(30), call => call.ChatId == Chat);
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.UntilNotifiedAsync(8);
        Assert.Empty(scene.Accepted(Chat));
        await scene.ProcessAsync(id);
        await scene.UntilNotifiedAsync(8);
        await Eventually.TrueAsync(() => scene.Telegram.Calls.Any(call => call.ChatId == Chat));
        await scene.Database.UntilAsync("SELECT not_before BETWEEN now() + interval '1 second' AND now() + interval '30 seconds' FROM durable_cursors WHERE owner LIKE '%:7'");
        Assert.Single(scene.Telegram.Calls, call => call.ChatId == Chat);

        // Skips the rest of the wait.
        await scene.Database.ExecuteAsync("UPDATE durable_cursors SET not_before = now()", Token);
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal([BotScene.Line("pending", id), BotScene.Line("processing", id)], scene.Accepted(Chat));
        Assert.Equal(scene.Accepted(Chat), scene.Accepted(8));
        Assert.Equal(3, scene.Telegram.Calls.Count(call => call.ChatId == Chat));
    }

    [Fact]
    public async Task A_chat_that_blocked_the_bot_or_no_longer_exists_is_unlinked()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await scene.LinkAsync("alice", 8);
        await scene.LinkAsync("alice", 9);
        scene.Telegram.Always = call => call.ChatId switch { Chat => FakeReply.Blocked, 8 => FakeReply.ChatNotFound, _ => null };
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.UntilNotifiedAsync(9);
        await scene.Database.UntilAsync("SELECT count(*) <= 1 FROM durable_cursors");
        Assert.Equal([9L], (await scene.Links.ListAsync("alice", Token)).Select(chat => chat.ChatId));
        await scene.ProcessAsync(id);
        await scene.UntilNotifiedAsync(9);
        Assert.Equal(2, scene.Telegram.Calls.Count(call => call.ChatId != 9));
    }

    [Fact]
    public async Task No_failure_of_Telegram_loses_or_reorders_messages()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        foreach (var reply in new[]
        {
            FakeReply.ServerError, FakeReply.BadGateway, new FakeReply.CloseBefore(), new FakeReply.Hang(),
            new FakeReply.Error(401, "Unauthorized"), new FakeReply.Error(404, "Not Found"),
        })
        {
            scene.Telegram.Next(reply);
        }

        await using var bot = await scene.StartBotAsync(("Telegram:RequestTimeout", "00:00:05"));
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.ChangeAsync(id, GenerationStatus.Failed, c => c with { ErrorMessage = "x" });
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal([BotScene.Line("pending", id), BotScene.Line("processing", id), BotScene.Line("failed", id)], scene.Accepted(Chat));
        Assert.Equal(9, scene.Telegram.Calls.Count);
        Assert.True(await scene.Database.ScalarAsync<bool>("SELECT state IS NULL AND NOT troubled FROM durable_cursors", Token));
    }

    [Fact]
    public async Task While_Telegram_is_away_the_back_off_grows_and_the_cursor_counts_as_troubled()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await scene.Telegram.StopAsync();
        await using var bot = await scene.StartBotAsync(("Telegram:MaxRetryBackOff", "00:00:00.200"));
        var id = await scene.SubmitAsync();
        await scene.Database.UntilAsync("SELECT troubled AND (state ->> 'failures')::int >= 4 FROM durable_cursors");
        await scene.Telegram.ListenAsync();
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal([BotScene.Line("pending", id)], scene.Accepted(Chat));
    }

    [Fact]
    public async Task Only_messages_that_Telegram_accepted_without_an_answer_are_sent_again()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        scene.Telegram.Next(new FakeReply.CloseAfter(), call => call.Text!.Contains("pending", StringComparison.Ordinal));
        scene.Telegram.Next(new FakeReply.CloseAfter(), call => call.Photo == "https://example.com/2.png");
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.ChangeAsync(id, GenerationStatus.Completed, c => c with
        {
            ResultUrls = ["https://example.com/1.png", "https://example.com/2.png", "https://example.com/3.png"],
        });
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal(
            [
                BotScene.Line("pending", id), BotScene.Line("pending", id), BotScene.Line("processing", id), BotScene.Line("completed", id),
                "photo https://example.com/1.png", "photo https://example.com/2.png", "photo https://example.com/2.png", "photo https://example.com/3.png",
            ],
            scene.Accepted(Chat));
    }

    [Fact]
    public async Task A_message_that_Telegram_refuses_permanently_is_skipped_and_the_next_ones_are_sent()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        scene.Telegram.Next(FakeReply.BadRequest("can't parse entities"));
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal([BotScene.Line("processing", id)], scene.Accepted(Chat));
    }

    [Fact]
    public async Task An_edit_of_a_message_that_is_gone_or_already_has_the_text_counts_as_done()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.ProgressAsync(id, 10);
        await scene.UntilNotifiedAsync(Chat);
        await scene.ChangeAsync(id, GenerationStatus.Processing, c => c with { Progress = 10 });
        await scene.UntilNotifiedAsync(Chat);
        scene.Telegram.Remove(Chat, 2);
        await scene.ProgressAsync(id, 20);
        await scene.UntilNotifiedAsync(Chat);
        await scene.ChangeAsync(id, GenerationStatus.Canceled);
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal(BotScene.Line("canceled", id), scene.Accepted(Chat)[^1]);
        Assert.Equal(3, scene.Accepted(Chat).Count(line => line != "edit"));
    }

    [Fact]
    public async Task A_message_accepted_with_an_answer_that_cannot_be_read_is_not_sent_again_and_gets_no_progress()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        scene.Telegram.Next(new FakeReply.Raw(200, "{"), call => call.Text!.Contains("processing", StringComparison.Ordinal));
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.ProgressAsync(id, 10);
        await scene.ChangeAsync(id, GenerationStatus.Canceled);
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal([BotScene.Line("pending", id), BotScene.Line("processing", id), BotScene.Line("canceled", id)], scene.Telegram.Calls.Select(BotScene.Describe));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_message_that_Telegram_acknowledged_is_not_sent_again_even_if_the_rest_of_the_answer_never_arrives(bool closes)
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        scene.Telegram.Next(new FakeReply.HeadOnly(closes), call => call.Text!.Contains("pending", StringComparison.Ordinal));
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal([BotScene.Line("pending", id), BotScene.Line("processing", id)], scene.Accepted(Chat));
    }

    [Fact]
    public async Task A_chat_whose_topic_was_removed_is_notified_outside_of_topics()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.Links.LinkAsync(await scene.CodeAsync("alice"), FakeTelegram.BotId, -1007, "A forum", 5, Token);
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.UntilNotifiedAsync(-1007);
        Assert.Equal([BotScene.Line("pending", id), BotScene.Line("processing", id)], scene.Accepted(-1007));
        Assert.Equal([5, null, null], scene.Telegram.Calls.Select(call => call.TopicId));
        Assert.True(await scene.Database.ScalarAsync<bool>("SELECT NOT troubled FROM durable_cursors", Token));
    }

    [Theory]
    [InlineData("Bad Request: not enough rights to send text messages to the chat")]
    [InlineData("Forbidden: not enough rights to send text messages to the chat")]
    [InlineData("Bad Request: have no rights to send a message")]
    [InlineData("Bad Request: need administrator rights in the channel chat")]
    [InlineData("Bad Request: CHAT_WRITE_FORBIDDEN")]
    [InlineData("Bad Request: TOPIC_CLOSED")]
    public async Task A_chat_where_the_bot_may_not_write_is_retried_after_long_pauses_and_misses_nothing(string description)
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", -7);
        var refusal = new FakeReply.Error(description.StartsWith("Forbidden", StringComparison.Ordinal) ? 403 : 400, description);
        scene.Telegram.Next(refusal);
        scene.Telegram.Next(refusal);
        await using var bot = await scene.StartBotAsync();
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.Database.UntilAsync("SELECT troubled AND not_before BETWEEN now() + interval '9 minutes' AND now() + interval '10 minutes' FROM durable_cursors");
        await scene.Database.ExecuteAsync("UPDATE durable_cursors SET not_before = now()", Token);
        await scene.Database.UntilAsync("SELECT troubled AND not_before BETWEEN now() + interval '19 minutes' AND now() + interval '20 minutes' FROM durable_cursors");
        Assert.Equal(2, scene.Telegram.Calls.Count);
        await scene.Database.ExecuteAsync("UPDATE durable_cursors SET not_before = now()", Token);
        await scene.UntilNotifiedAsync(-7);
        Assert.Equal([BotScene.Line("pending", id), BotScene.Line("processing", id)], scene.Accepted(-7));
    }

    [Fact]
    public async Task A_message_that_Telegram_accepted_is_not_sent_again_after_the_database_was_away_for_long()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        var logs = new CollectedLogs();
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        scene.Telegram.Next(new FakeReply.After(release.Task));
        await using var bot = await scene.StartBotAsync(
            builder => builder.Logging.AddProvider(logs),
            ("StatusDatabase:RetryFor", "00:00:00"),
            ("ConnectionStrings:statusdb", scene.Database.ConnectionString + ";Options=-c lock_timeout=100"),
            ("Cursors:Lease", "00:00:05"));
        var id = await scene.SubmitAsync();
        await scene.Telegram.WaitForAsync(1);
        await using (var connection = await scene.Database.DataSource.OpenConnectionAsync(Token))
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await using var locking = new NpgsqlCommand("LOCK TABLE durable_cursors IN EXCLUSIVE MODE", connection, transaction);
            await locking.ExecuteNonQueryAsync(Token);
            release.SetResult();
            await Eventually.TrueAsync(() => logs.Lines.Count(line => line.Contains("could not be stored", StringComparison.Ordinal)) >= 3);
            await scene.Database.UntilAsync("SELECT lease_expires_at < clock_timestamp() FROM durable_cursors");
        }

        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal([BotScene.Line("pending", id)], scene.Accepted(Chat));
    }
}
