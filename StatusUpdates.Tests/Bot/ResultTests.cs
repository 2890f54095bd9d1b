using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StatusUpdates.Bot.Results;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Bot;

/// <summary>How results come into the chat.</summary>
public sealed class ResultTests(TestServers servers)
{
    private const long Chat = 7;

    private static readonly byte[] Png = [0x89, 0x50, 0x4E, 0x47, 1, 2, 3];

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task The_systems_own_results_are_uploaded_from_where_they_are_kept()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        var urls = await SendAsync(
            scene,
            [],
            await OwnAsync(scene, "image/png", Png),
            await OwnAsync(scene, "image/webp", [1, 2]),
            await OwnAsync(scene, "text/plain; charset=utf-8", "An answer, with 2 * 3 = 6 _in_ it."u8.ToArray()),
            await OwnAsync(scene, "application/pdf", [1]));
        Assert.Equal(
            ["photo of 7 bytes", "document result.webp", "An answer, with 2 * 3 = 6 _in_ it.", "document result.bin"], scene.Taken(Chat).Skip(3));
        Assert.Equal(4, urls.Length);
        Assert.Equal(Png, scene.Telegram.Calls.First(call => call.Method == "sendPhoto").File);
    }

    [Fact]
    public async Task An_image_that_Telegram_does_not_take_as_a_photo_is_sent_as_a_file()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        scene.Telegram.Next(FakeReply.BadRequest("PHOTO_INVALID_DIMENSIONS"), call => call.Method == "sendPhoto");
        await SendAsync(scene, [], await OwnAsync(scene, "image/png", Png));
        Assert.Equal(["document result.png"], scene.Taken(Chat).Skip(3));
    }

    [Fact]
    public async Task What_Telegram_cannot_fetch_is_fetched_and_uploaded_and_in_the_end_its_address_is_sent()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var provider = await StartProviderAsync();
        var root = provider.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
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
        Assert.Equal(
            [
                "photo of 7 bytes", "document result.mp4", $"{root}/page", $"{root}/large", $"{root}/redirect", $"{root}/missing",
                $"{root}/results/{new string('0', 32)}", "https://unknown.example.invalid/1.png", "no address at all",
            ],
            scene.Taken(Chat).Skip(3));
    }

    [Fact]
    public async Task Nothing_is_fetched_from_inside_the_network_whatever_an_address_says()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var provider = await StartProviderAsync();
        var root = provider.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        var port = new Uri(root).Port;
        string[] urls = [$"{root}/image", $"http://localhost:{port}/image", $"http://[::ffff:127.0.0.1]:{port}/image", $"http://2130706433:{port}/image"];
        await SendAsync(scene, [], urls);
        Assert.Equal(urls, scene.Taken(Chat).Skip(3));
    }

    [Fact]
    public async Task A_result_by_which_Telegram_always_fails_is_sent_in_another_way_after_a_few_times()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        scene.Telegram.Always = call => call.Method switch
        {
            "sendPhoto" => FakeReply.ServerError,
            "sendDocument" => new FakeReply.CloseAfter(),
            _ => null,
        };
        var own = await OwnAsync(scene, "image/webp", Png);
        await SendAsync(scene, [], "https://unknown.example.invalid/1.png", own, "https://unknown.example.invalid/2.png");
        Assert.Equal(
            ["https://unknown.example.invalid/1.png", .. Enumerable.Repeat("document result.webp", 5), own, "https://unknown.example.invalid/2.png"],
            scene.Taken(Chat).Skip(3));
        Assert.Equal(10, scene.Telegram.Calls.Count(call => call.Method == "sendPhoto"));
    }

    [Fact]
    public async Task While_Telegram_is_away_no_way_is_given_up()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        await using var bot = await scene.StartBotAsync(("Telegram:MaxRetryBackOff", "00:00:00.050"));
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.UntilToldAsync(Chat);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        scene.Telegram.Next(new FakeReply.After(release.Task), call => call.Method == "sendPhoto");
        await scene.ChangeAsync(id, GenerationStatus.Completed, c => c with { ResultUrls = ["https://example.com/1.png"] });
        await scene.Telegram.WaitForAsync(1, call => call.Method == "sendPhoto");
        await scene.Telegram.StopAsync();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!await scene.Database.ScalarAsync<bool>("SELECT COALESCE((state ->> 'failures')::int, 0) >= 8 FROM durable_cursors", Token))
        {
            await timer.WaitForNextTickAsync(Token);
        }

        release.SetResult();
        await scene.Telegram.StartAsync();
        await scene.UntilToldAsync(Chat);
        Assert.Equal("photo https://example.com/1.png", scene.Taken(Chat)[^1]);
    }

    [Fact]
    public async Task Where_photos_and_files_are_not_allowed_the_address_is_sent()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        scene.Telegram.Always = call => call.Method is "sendPhoto" or "sendDocument"
            ? FakeReply.BadRequest("not enough rights to send photos to the chat") : null;
        var own = await OwnAsync(scene, "image/png", Png);
        await SendAsync(scene, [], own, "https://unknown.example.invalid/1.png");
        Assert.Equal([own, "https://unknown.example.invalid/1.png"], scene.Taken(Chat).Skip(3));
    }

    [Fact]
    public async Task Telegram_has_more_time_to_fetch_a_photo_than_to_take_a_text()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        var fetched = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        scene.Telegram.Next(new FakeReply.After(fetched.Task), call => call.Method == "sendPhoto");
        var sending = SendAsync(scene, [("Telegram:RequestTimeout", "00:00:03")], "https://example.com/1.png");
        await scene.Telegram.WaitForAsync(1, call => call.Method == "sendPhoto");

        // The time that a text has is what is let pass.
        await Task.Delay(TimeSpan.FromSeconds(4), Token);
        fetched.SetResult();
        await sending;
        Assert.Equal(["photo https://example.com/1.png"], scene.Taken(Chat).Skip(3));
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
    public void Telegram_is_asked_to_fetch_only_what_it_may_be_able_to(string url, bool isReachable) =>
        Assert.Equal(isReachable, PublicAddresses.IsReachable(new Uri(url)));

    private static async Task<string[]> SendAsync(BotScene scene, (string, string)[] settings, params string[] urls)
    {
        await scene.LinkAsync("alice", Chat);
        await using var bot = await scene.StartBotAsync(settings);
        var id = await scene.SubmitAsync();
        await scene.ProcessAsync(id);
        await scene.ChangeAsync(id, GenerationStatus.Completed, c => c with { ResultUrls = urls });
        await scene.UntilToldAsync(Chat);
        return urls;
    }

    private static async Task<string> OwnAsync(BotScene scene, string contentType, byte[] bytes) =>
        $"http://localhost:5080/results/{await scene.Database.Results.SaveAsync("gen-1", contentType, bytes, Token)}";

    private static async Task<WebApplication> StartProviderAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapGet("/image", () => Results.Bytes(Png, "image/png"));
        app.MapGet("/video", () => Results.Bytes(Png, "video/mp4"));
        app.MapGet("/page", () => Results.Content("<html>", "text/html"));
        app.MapGet("/large", () => Results.Bytes(new byte[ResultFetcher.MaxBytes + 1], "image/png"));
        app.MapGet("/redirect", () => Results.Redirect("/image"));
        await app.StartAsync(Token);
        return app;
    }
}
