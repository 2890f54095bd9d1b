using System.Globalization;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Bot;
using StatusUpdates.Tests.Webhooks;
using StatusUpdates.Tests.Worker;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>The bot in a separate process, while everything that can fail does.</summary>
[Long]
public sealed class BotFaultTests(TestServers servers, ITestOutputHelper output)
{
    private const int Users = 20;
    private const int GenerationsOfUser = 10;
    private const int UpdatesOfGeneration = 5;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Whatever_fails_every_chat_gets_every_change_in_order_and_only_unacknowledged_messages_twice()
    {
        await using var redis = await RedisServer.StartAsync(new RedisServerOptions(), Token);
        await using var scene = await BotScene.CreateAsync(servers, redis.ConnectionString + ",abortConnect=false,connectTimeout=1000");
        var telegram = scene.Telegram;
        for (var user = 0; user < Users; user++)
        {
            await scene.LinkAsync(UserOf(user), ChatOf(user));
        }

        var random = new Random(5);
        telegram.Always = _ => random.Next(200) switch
        {
            0 => FakeReply.ServerError,
            1 => new FakeReply.CloseBefore(),
            2 => new FakeReply.CloseAfter(),
            3 => FakeReply.RetryAfter(1),
            _ => null,
        };

        // A worker, which delivers webhooks by durable cursors, runs at the same time and must not take the bot's. It claims no generations.
        await scene.Database.ExecuteAsync(
            """
            CREATE FUNCTION never_due() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.run_at := now() + interval ''1 day''; RETURN NEW; END';
            CREATE TRIGGER never_due BEFORE INSERT ON generations FOR EACH ROW EXECUTE FUNCTION never_due();
            """,
            Token);
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis, null, WebhookScene.Settings);
        await using var bot = new ChildProcess("StatusUpdates.Bot.dll", SettingsOf(scene));
        await bot.StartAsync();

        // Where in the requests something was cut: the response to a chat's last request before it may have been lost. A killed bot's requests can be
        // read here after its death, so its cut lasts until the next bot has started.
        var cuts = new List<(int From, int To)>();
        var started = TimeProvider.System.GetTimestamp();
        for (var n = 0; n < GenerationsOfUser; n++)
        {
            if (n % 3 == 1)
            {
                await redis.StopAsync(Token);
            }

            var writing = Task.WhenAll(Enumerable.Range(0, Users).Select(user => WriteAsync(scene, UserOf(user), n)));
            await telegram.WaitForAsync(telegram.Calls.Count + Users);
            switch (n % 3)
            {
                case 0:
                    await bot.EndAsync(Posix.SigKill);
                    var killed = telegram.Calls.Count;

                    // As the passing of time would. On a slow machine, a live bot would lose a short lease as well.
                    await scene.Database.ExecuteAsync("UPDATE durable_cursors SET lease_expires_at = now() WHERE lease_expires_at IS NOT NULL", Token);
                    await bot.StartAsync();
                    cuts.Add((killed, telegram.Calls.Count));
                    break;
                case 1:
                    await writing;
                    await redis.RestartAsync(Token);
                    break;
                default:
                    await telegram.StopAsync();
                    cuts.Add((telegram.Calls.Count, telegram.Calls.Count));
                    await writing;
                    await telegram.ListenAsync();
                    break;
            }

            await writing;
        }

        // A normal stop leaves nothing unacknowledged: no cut.
        await bot.EndAsync(Posix.SigTerm);
        await bot.StartAsync();
        for (var user = 0; user < Users; user++)
        {
            await scene.UntilNotifiedAsync(ChatOf(user));
        }

        var elapsed = TimeProvider.System.GetElapsedTime(started);
        await bot.EndAsync(Posix.SigTerm);
        Assert.Equal(Users * GenerationsOfUser * UpdatesOfGeneration, await scene.Database.ScalarAsync<long>("SELECT count(*) FROM status_events", Token));

        var calls = telegram.Calls;
        var repeated = 0;
        for (var user = 0; user < Users; user++)
        {
            repeated += AssertReceived(calls, ChatOf(user), await ExpectedAsync(scene, UserOf(user)), cuts);
        }

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{calls.Count} requests in {elapsed.TotalSeconds:F0} s, {calls.Count(call => call.IsAccepted)} taken, {repeated} repeated, {cuts.Count} cuts"));
        Assert.Equal(0, await scene.Database.ScalarAsync<long>("SELECT count(*) FROM telegram_messages", Token));
    }

    private static async Task WriteAsync(BotScene scene, string userId, int number)
    {
        var id = await scene.SubmitAsync(userId);
        await scene.BeginAsync(id);
        await scene.ProgressAsync(id, 40);
        await scene.ProgressAsync(id, 80);
        await scene.ChangeAsync(id, number % 4 == 0 ? GenerationStatus.Failed : GenerationStatus.Completed, change => number % 4 == 0
            ? change with { ErrorMessage = "Out of paint." }
            : change with { ResultUrls = [$"https://example.com/{id}.png"] });
    }

    /// <summary>The messages that a chat must get, apart from edits.</summary>
    private static async Task<List<string>> ExpectedAsync(BotScene scene, string userId)
    {
        var expected = new List<string>();
        foreach (var update in (await scene.Database.Log.ReadAfterAsync(userId, 0, 1000, Token)).Items)
        {
            if (update.Metadata?.Progress is null or 100)
            {
                expected.Add(BotScene.Line(update.Status.ToWireName(), update.GenerationId));
            }

            expected.AddRange((update.Metadata?.ResultUrls ?? []).Select(url => $"photo {url}"));
        }

        Assert.Equal(GenerationsOfUser * 3, expected.Count(line => line.StartsWith("Your", StringComparison.Ordinal)));
        return expected;
    }

    /// <returns>How many messages came twice.</returns>
    private static int AssertReceived(IReadOnlyList<FakeCall> calls, long chatId, List<string> expected, List<(int From, int To)> cuts)
    {
        var own = calls.Select((call, at) => (Call: call, At: at)).Where(entry => entry.Call.ChatId == chatId).ToList();
        var received = own.Where(entry => entry.Call.IsAccepted && entry.Call.Method != "editMessageText").ToList();
        var repeated = 0;
        var next = 0;
        for (var i = 0; i < received.Count; i++)
        {
            var line = BotScene.Describe(received[i].Call);
            if (next < expected.Count && line == expected[next])
            {
                next++;
                continue;
            }

            // Otherwise it must be the previous one again, which is allowed if that was not acknowledged.
            Assert.True(i > 0 && line == expected[next - 1], $"Chat {chatId}: {line} where {expected.ElementAtOrDefault(next)} was expected");
            var (before, at) = received[i - 1];
            var following = own.Find(entry => entry.At > at).At;
            Assert.True(
                before.Answered is null || cuts.Exists(cut => at < cut.To && cut.From <= following),
                $"Chat {chatId}: {line} came twice, although it had been acknowledged");
            repeated++;
        }

        Assert.Equal(expected.Count, next);
        return repeated;
    }

    private static Dictionary<string, string?> SettingsOf(BotScene scene)
    {
        var settings = TestBot.SettingsOf(scene.Database, scene.Redis, scene.Telegram.Address);
        settings["Telegram:MaxRetryBackOff"] = "00:00:00.500";
        settings["Cursors:SweepInterval"] = "00:00:00.200";
        return settings;
    }

    private static string UserOf(int number) => string.Create(CultureInfo.InvariantCulture, $"user-{number}");

    private static long ChatOf(int number) => 1000 + number;
}
