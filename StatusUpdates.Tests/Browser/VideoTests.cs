using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.ResultStore;
using StatusUpdates.Tests.Worker;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Tests.Browser;

/// <summary>A video that is much larger than a row, from a provider to the page.</summary>
public sealed class VideoTests(TestServers servers, ChromiumBrowser browser)
{
    private const int Seconds = 20;

    private static CancellationToken Token => TestTime.Token;

    [Long]
    [Fact(Timeout = 180_000)]
    public async Task A_large_video_plays_on_the_page_from_wherever_its_reader_seeks()
    {
        var video = WebMVideo.Create(Seconds, framesPerSecond: 5, second => (byte)(60 + (8 * second)));
        Assert.InRange(video.Length, 8_000_000, int.MaxValue);
        await using var api = await TestApi.StartAsync(servers);
        var output = new ProviderStream("video/webm", _ => Task.FromResult<Stream>(new MemoryStream(video)));
        var address = new UriBuilder(api.Address) { Host = "localhost" }.Uri;
        await using var worker = await TestWorker.StartAsync(
            api.Database,
            api.Redis,
            new ScriptedProvider((_, _, _) => Task.FromResult(new ProviderResult([output], 1))),
            ("Results:PublicBaseUrl", address.GetLeftPart(UriPartial.Authority)));
        var user = $"page-{Guid.NewGuid():N}";
        using var http = api.As(user);
        using var submitted = await http.PostAsync("/api/v1/generations", Answers.Json("""{"type":"sora","prompt":"a sunset"}"""), Token);
        submitted.EnsureSuccessStatusCode();

        await using var page = await browser.OpenAsync(address, Token);
        await page.TypeAsync("#user-input", user, Token);
        await page.PressEnterAsync(control: false, Token);
        await page.WaitUntilAsync("document.querySelector('.card .media video')", Token);

        const string Video = "document.querySelector('.card .media video')";
        var seen = await page.EvaluateAsync(
            $$"""
            (async () => {
              const video = {{Video}};
              video.muted = true;
              const until = name => new Promise((resolve, reject) => {
                video.addEventListener(name, resolve, { once: true });
                video.addEventListener('error', () => reject(new Error(video.error?.message)), { once: true });
              });
              if (video.readyState < 1) await until('loadedmetadata');
              const canvas = document.createElement('canvas');
              canvas.width = video.videoWidth; canvas.height = video.videoHeight;
              const reds = [];
              for (const at of [15.5, 2.5, 18.5]) {
                const done = until('seeked');
                video.currentTime = at;
                await done;
                const context = canvas.getContext('2d');
                context.drawImage(video, 0, 0);
                const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
                let sum = 0;
                for (let i = 0; i < pixels.length; i += 4) sum += pixels[i];
                reds.push(Math.round(sum / (pixels.length / 4)));
              }
              const started = video.currentTime;
              await video.play();
              await new Promise(resolve => video.addEventListener('timeupdate', () => video.currentTime > started && resolve()));
              return { duration: video.duration, width: video.videoWidth, reds };
            })()
            """,
            Token);

        Assert.Equal(Seconds, (double)seen!["duration"]!, 0.01);
        Assert.Equal(WebMVideo.Width, (int)seen["width"]!);

        // The frames of these seconds: neighbours differ by 8.
        Assert.Equal([15, 2, 18], seen["reds"]!.AsArray().Select(red => (int)Math.Round(((int)red! - 60) / 8.0)));
        Assert.Equal("", string.Join('\n', page.Errors));
    }
}
