using Microsoft.AspNetCore.Http;
using StatusUpdates.Bot.Results;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.ResultStore;

namespace StatusUpdates.Tests.Bot;

/// <summary>How results are sent to the chat.</summary>
public sealed class ResultTests(TestServers servers)
{
    private const long Chat = 7;

    // Seven bytes, which nobody decodes: the bot goes by the content type.
    private static readonly byte[] Png = [0x89, 0x50, 0x4E, 0x47, 1, 2, 3];

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task The_systems_own_results_are_uploaded_from_the_database()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        var urls = await SendAsync(
            scene,
            [],
            await SaveOwnResultAsync(scene, "image/png", Png),
            await SaveOwnResultAsync(scene, "image/webp", [1, 2]),
            await SaveOwnResultAsync(scene, "text/plain; charset=utf-8", "An answer, with 2 * 3 = 6 _in_ it."u8.ToArray()),
            await SaveOwnResultAsync(scene, "application/pdf", [1]));
        Assert.Equal(
            ["photo of 7 bytes", "document result.webp", "An answer, with 2 * 3 = 6 _in_ it.", "document result.bin"], scene.Accepted(Chat).Skip(3));
        Assert.Equal(4, urls.Length);
        Assert.Equal(Png, scene.Telegram.Calls.First(call => call.Method == "sendPhoto").File);
    }

    [Fact]
    public async Task Large_results_are_uploaded_from_their_store_and_of_those_that_Telegram_does_not_take_the_URL_is_sent()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        var video = await SaveOwnResultAsync(scene, "video/mp4", PatternStream.Bytes(0, 12_000_000));
        var photo = await SaveOwnResultAsync(scene, "image/png", new byte[10_000_001]);
        var huge = await SaveOwnResultAsync(scene, "video/mp4", new byte[50_000_001]);
        var missing = await SaveOwnResultAsync(scene, "video/mp4", new byte[300_000]);
        File.Delete(Path.Combine(scene.Database.ResultsFolder, missing[^32..^30], missing[^32..]));

        await SendAsync(scene, [("Telegram:RequestTimeout", "00:01:00")], video, photo, huge, missing);

        Assert.Equal(["video result.mp4 of 12000000 bytes", "document result.png", huge, missing], scene.Accepted(Chat).Skip(3));
        Assert.True(PatternStream.Bytes(0, 12_000_000).AsSpan().SequenceEqual(scene.Telegram.Calls.First(call => call.Method == "sendVideo").File));
        Assert.DoesNotContain(scene.Telegram.Calls, call => call.Method == "sendPhoto");
    }

    [Fact]
    public async Task A_video_that_Telegram_does_not_accept_is_sent_as_a_file()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        scene.Telegram.Next(FakeReply.BadRequest("VIDEO_CONTENT_TYPE_INVALID"), call => call.Method == "sendVideo");
        await SendAsync(scene, [], await SaveOwnResultAsync(scene, "video/mp4", new byte[300_000]));
        Assert.Equal(["document result.mp4"], scene.Accepted(Chat).Skip(3));
    }

    [Fact]
    public async Task An_image_that_Telegram_does_not_accept_as_a_photo_is_sent_as_a_file()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        scene.Telegram.Next(FakeReply.BadRequest("PHOTO_INVALID_DIMENSIONS"), call => call.Method == "sendPhoto");
        await SendAsync(scene, [], await SaveOwnResultAsync(scene, "image/png", Png));
        Assert.Equal(["document result.png"], scene.Accepted(Chat).Skip(3));
    }

    [Fact]
    public async Task A_result_that_Telegram_cannot_fetch_is_fetched_and_uploaded_or_else_its_URL_is_sent()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var provider = await Provider.StartAsync();
        var root = provider.Address.GetLeftPart(UriPartial.Authority);
        scene.Telegram.Next(FakeReply.BadUrl, call => call.Photo == "https://unknown.example.invalid/1.png");
        await SendAsync(
            scene,
            [("Telegram:ResultNetworks:0", "127.0.0.0/8")],
            $"{root}/image",
            $"{root}/video",
            $"{root}/page",
            $"{root}/large",
            $"{root}/redirect",
            $"{root}/missing",
            $"{root}/results/{new string('0', 32)}",
            "https://unknown.example.invalid/1.png",
            "no address at all");

        // The image and the video are fetched and uploaded. For what is a page, too large, redirected, missing or nowhere, the URL is sent.
        Assert.Equal(
            [
                "photo of 7 bytes", "video result.mp4 of 7 bytes", $"{root}/page", $"{root}/large", $"{root}/redirect", $"{root}/missing",
                $"{root}/results/{new string('0', 32)}", "https://unknown.example.invalid/1.png", "no address at all",
            ],
            scene.Accepted(Chat).Skip(3));
    }

    [Fact]
    public async Task Nothing_is_fetched_from_inside_the_network_however_the_URL_is_written()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var provider = await Provider.StartAsync();
        var root = provider.Address.GetLeftPart(UriPartial.Authority);
        var port = provider.Address.Port;

        // 2130706433 is 127.0.0.1 as one number.
        string[] urls = [$"{root}/image", $"http://localhost:{port}/image", $"http://[::ffff:127.0.0.1]:{port}/image", $"http://2130706433:{port}/image"];
        await SendAsync(scene, [], urls);
        Assert.Equal(urls, scene.Accepted(Chat).Skip(3));
    }

    [Fact]
    public async Task A_result_on_which_Telegram_always_fails_is_sent_in_another_way_after_a_few_attempts()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        scene.Telegram.Always = call => call.Method switch
        {
            "sendPhoto" => FakeReply.ServerError,
            "sendDocument" => new FakeReply.CloseAfter(),
            _ => null,
        };

        // Five attempts (ChatRun), then the URL as text: twice five photos, and five documents, which all arrive, because only the answer is lost.
        var own = await SaveOwnResultAsync(scene, "image/webp", Png);
        await SendAsync(scene, [], "https://unknown.example.invalid/1.png", own, "https://unknown.example.invalid/2.png");
        Assert.Equal(
            ["https://unknown.example.invalid/1.png", .. Enumerable.Repeat("document result.webp", 5), own, "https://unknown.example.invalid/2.png"],
            scene.Accepted(Chat).Skip(3));
        Assert.Equal(10, scene.Telegram.Calls.Count(call => call.Method == "sendPhoto"));
    }

    [Fact]
    public async Task While_Telegram_is_away_the_way_of_sending_does_not_change()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await using var bot = await scene.StartBotAsync(("Telegram:MaxRetryBackOff", "00:00:00.050"));
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.UntilNotifiedAsync(Chat);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        scene.Telegram.Next(new FakeReply.After(release.Task), call => call.Method == "sendPhoto");
        await scene.ChangeAsync(id, GenerationStatus.Completed, c => c with { ResultUrls = ["https://example.com/1.png"] });
        await scene.Telegram.WaitForAsync(1, call => call.Method == "sendPhoto");
        await scene.Telegram.StopAsync();
        // More failures than a way of sending is allowed (five).
        await scene.Database.UntilAsync("SELECT (state ->> 'failures')::int >= 8 FROM durable_cursors");
        release.SetResult();

        // One more while Telegram is back: it is the first that the way of sending may be the cause of.
        scene.Telegram.Next(FakeReply.BadGateway, call => call.Method == "sendPhoto");
        await scene.Telegram.ListenAsync();
        await scene.UntilNotifiedAsync(Chat);
        Assert.Equal("photo https://example.com/1.png", scene.Accepted(Chat)[^1]);
    }

    [Fact]
    public async Task Where_photos_and_files_are_not_allowed_the_URL_is_sent()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        scene.Telegram.Always = call => call.Method is "sendPhoto" or "sendDocument"
            ? FakeReply.BadRequest("not enough rights to send photos to the chat") : null;
        var own = await SaveOwnResultAsync(scene, "image/png", Png);
        await SendAsync(scene, [], own, "https://unknown.example.invalid/1.png");
        Assert.Equal([own, "https://unknown.example.invalid/1.png"], scene.Accepted(Chat).Skip(3));
    }

    [Fact]
    public async Task Telegram_has_more_time_to_fetch_a_photo_than_to_accept_a_text()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        var fetched = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        scene.Telegram.Next(new FakeReply.After(fetched.Task), call => call.Method == "sendPhoto");
        var sending = SendAsync(scene, [("Telegram:RequestTimeout", "00:00:03")], "https://example.com/1.png");
        await scene.Telegram.WaitForAsync(1, call => call.Method == "sendPhoto");

        // Longer than the timeout of a text.
        await Task.Delay(TimeSpan.FromSeconds(4), Token);
        fetched.SetResult();
        await sending;
        Assert.Equal(["photo https://example.com/1.png"], scene.Accepted(Chat).Skip(3));
    }

    [Theory]
    [InlineData("https://example.com/1.png", true)]
    [InlineData("https://1.1.1.1/1.png", true)]
    [InlineData("http://example.com/1.png", false)]
    [InlineData("https://localhost/1.png", false)]
    [InlineData("https://api/1.png", false)]
    [InlineData("https://files.internal/1.png", false)]
    [InlineData("https://10.0.0.1/1.png", false)]
    [InlineData("https://[::1]/1.png", false)]
    [InlineData("https://user:secret@example.com/1.png", false)]
    public void Telegram_is_asked_to_fetch_only_URLs_that_it_may_be_able_to_reach(string url, bool isReachable) =>
        Assert.Equal(isReachable, PublicAddresses.IsReachable(new Uri(url)));

    /// <summary>
    /// Has a generation complete with these results, and waits until the chat has been told. The chat gets three texts first, which tests skip: pending,
    /// processing and completed.
    /// </summary>
    private static async Task<string[]> SendAsync(BotScene scene, (string, string)[] settings, params string[] urls)
    {
        await scene.LinkAsync("alice", Chat);
        await using var bot = await scene.StartBotAsync(settings);
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.ChangeAsync(id, GenerationStatus.Completed, c => c with { ResultUrls = urls });
        await scene.UntilNotifiedAsync(Chat);
        return urls;
    }

    /// <summary>Stores a result, as a worker does.</summary>
    /// <returns>Its URL. Nothing listens there: the bot recognizes it.</returns>
    private static async Task<string> SaveOwnResultAsync(BotScene scene, string contentType, byte[] bytes) =>
        $"http://localhost:5080/results/{await scene.Database.Results.SaveAsync("gen-1", contentType, bytes, Token)}";

    /// <summary>A provider's server, with results of every kind.</summary>
    private sealed class Provider : LoopbackHttpServer
    {
        public static Task<Provider> StartAsync() => StartAsync(new Provider());

        protected override Task AnswerAsync(HttpContext context) => (context.Request.Path.Value switch
        {
            "/image" => Results.Bytes(Png, "image/png"),
            "/video" => Results.Bytes(Png, "video/mp4"),
            "/page" => Results.Content("<html>", "text/html"),
            "/large" => Results.Bytes(new byte[ResultFetcher.MaxBytes + 1], "image/png"),
            "/redirect" => Results.Redirect("/image"),
            _ => Results.NotFound(),
        }).ExecuteAsync(context);
    }
}
