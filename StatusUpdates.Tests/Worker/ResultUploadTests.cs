using System.Globalization;
using Microsoft.AspNetCore.Http;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.ResultStore;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Tests.Worker;

/// <summary>Results that a provider hands over as streams, or as addresses that expire.</summary>
public sealed class ResultUploadTests(TestServers servers)
{
    private const int Length = 10_000_000;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_stream_is_stored_and_opened_again_if_it_breaks()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var opened = new List<PatternStream>();
        var output = new ProviderStream("video/mp4", _ =>
        {
            opened.Add(new PatternStream(Length, opened.Count == 0 ? 5_000_000 : long.MaxValue));
            return Task.FromResult<Stream>(opened[^1]);
        });
        await using var worker = await StartAsync(scene, output);

        await AssertCompletesAsync(scene, PatternStream.Bytes(0, Length), "video/mp4");

        Assert.Equal([5_000_000, Length], opened.Select(stream => stream.Position));
        Assert.All(opened, stream => Assert.InRange(stream.LargestRequest, 1, 1024 * 1024));
    }

    [Fact]
    public async Task A_result_that_will_expire_is_copied_through_a_redirect_and_a_broken_connection()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var host = await ResultHost.StartAsync();
        await using var worker = await StartAsync(scene, new ProviderDownload(host.Url("/moved"), DateTimeOffset.UtcNow.AddHours(1)));

        await AssertCompletesAsync(scene, PatternStream.Bytes(0, Length), "video/mp4");

        Assert.Equal(["GET /moved", "GET /breaking", "GET /moved", "GET /breaking"], host.Requests);
    }

    [Fact]
    public async Task The_media_type_that_a_provider_states_wins_over_that_of_the_server()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var host = await ResultHost.StartAsync();
        await using var worker = await StartAsync(scene, new ProviderDownload(host.Url("/octets")) { ContentType = "video/webm" });

        await AssertCompletesAsync(scene, [1, 2, 3], "video/webm");
    }

    [Theory]
    [InlineData("/octets", "The provider returned application/octet-stream instead of video/* or image/*.")]
    [InlineData("/untyped", "The provider returned a result without a valid media type.")]
    [InlineData("/large", "The provider returned a result that is too large: more than 2000000 bytes.")]
    [InlineData("/endless", "The provider returned a result that is too large: more than 2000000 bytes.")]
    [InlineData("/gone", "The provider's service answered 404.")]
    [InlineData("/circle", "The provider's result leads to one address after the other.")]
    [InlineData("/elsewhere", "The provider's result leads to an address that is not a plain http or https address.")]
    [InlineData("/inside", "The provider's result is at an address that must not be called: it is not on the public internet.")]
    [InlineData("/hanging", "The provider's result could not be copied in time.")]
    public async Task A_result_that_cannot_be_copied_fails_the_generation_with_a_readable_message(string path, string message)
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var host = await ResultHost.StartAsync();
        await using var worker = await StartAsync(
            scene,
            new ProviderDownload(host.Url(path)),
            ("Results:MaxBytes", "2000000"),
            ("Attempts:MaxFailures", "1"),
            ("Results:DownloadTimeout", path == "/hanging" ? "00:00:00.300" : "01:00:00"));

        var update = await scene.WaitForAsync(await scene.SubmitAsync("sora"), GenerationStatus.Failed);

        Assert.Equal(message, update.Metadata!.ErrorMessage);
        Assert.Empty(GenerationResultStoreTests.Files(scene.Database));
    }

    [Fact]
    public async Task A_result_that_expired_is_said_to_have_expired()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var host = await ResultHost.StartAsync();
        await using var worker = await StartAsync(scene, new ProviderDownload(host.Url("/gone"), DateTimeOffset.UtcNow.AddMinutes(-1)));

        var update = await scene.WaitForAsync(await scene.SubmitAsync("sora"), GenerationStatus.Failed);

        Assert.Equal("The provider's result expired before it was copied.", update.Metadata!.ErrorMessage);
    }

    [Fact]
    public async Task Nothing_is_copied_from_inside_the_network_unless_the_operator_allows_it()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var host = await ResultHost.StartAsync();
        await using var worker = await StartAsync(scene, new ProviderDownload(host.Url("/octets")), ("Results:AllowedNetworks:0", "10.9.9.0/24"));

        var update = await scene.WaitForAsync(await scene.SubmitAsync("sora"), GenerationStatus.Failed);

        Assert.Equal("The provider's result is at an address that must not be called: it is not on the public internet.", update.Metadata!.ErrorMessage);
        Assert.Empty(host.Requests);
    }

    [Fact]
    public async Task A_store_that_fails_is_a_transient_failure_and_the_user_reads_no_path()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var worker = await StartAsync(
            scene, new ProviderStream("video/mp4", _ => Task.FromResult<Stream>(new PatternStream(Length))), ("Attempts:MaxFailures", "1"));
        Directory.Delete(scene.Database.ResultsFolder);

        var update = await scene.WaitForAsync(await scene.SubmitAsync("sora"), GenerationStatus.Failed);

        Assert.Equal("The result could not be stored.", update.Metadata!.ErrorMessage);
        Assert.Equal(1, (await scene.FindAsync(update.GenerationId)).Failures);
        Directory.CreateDirectory(scene.Database.ResultsFolder);
    }

    private static Task<TestWorker> StartAsync(WorkerScene scene, ProviderOutput output, params (string Key, string Value)[] settings) => TestWorker.StartAsync(
        scene.Database, scene.Redis, new ScriptedProvider((_, _, _) => Task.FromResult(new ProviderResult([output], 1))), settings);

    private static async Task AssertCompletesAsync(WorkerScene scene, byte[] expected, string contentType)
    {
        var update = await scene.WaitForAsync(await scene.SubmitAsync("sora"), GenerationStatus.Completed);
        var stored = (await scene.Database.Results.FindAsync(Assert.Single(update.Metadata!.ResultUrls!)[^32..], Token))!;
        Assert.Equal(contentType, stored.ContentType);
        Assert.True(expected.AsSpan().SequenceEqual(stored.Bytes));
    }

    /// <summary>A provider's server for results.</summary>
    private sealed class ResultHost : LoopbackHttpServer
    {
        private int _broken;

        public static Task<ResultHost> StartAsync() => StartAsync(new ResultHost());

        public Uri Url(string path) => new(Address, path);

        protected override async Task AnswerAsync(HttpContext context)
        {
            var response = context.Response;
            response.ContentType = "video/mp4";
            switch (context.Request.Path.Value)
            {
                case "/moved":
                    response.Redirect("/breaking");
                    break;
                case "/breaking":
                    response.ContentLength = Length;
                    await response.Body.WriteAsync(PatternStream.Bytes(0, 4_000_000));
                    if (Interlocked.Increment(ref _broken) == 1)
                    {
                        await response.Body.FlushAsync();
                        context.Abort();
                        return;
                    }

                    await response.Body.WriteAsync(PatternStream.Bytes(4_000_000, Length - 4_000_000));
                    break;
                case "/octets":
                    response.ContentType = "application/octet-stream";
                    await response.Body.WriteAsync(new byte[] { 1, 2, 3 });
                    break;
                case "/untyped":
                    response.ContentType = null;
                    await response.Body.WriteAsync(new byte[] { 1, 2, 3 });
                    break;
                case "/large":
                    // The length alone is enough: the content never comes.
                    response.ContentLength = 2_000_001;
                    await response.Body.FlushAsync();
                    await WaitAsync(context);
                    break;
                case "/endless":
                    while (!context.RequestAborted.IsCancellationRequested)
                    {
                        await response.Body.WriteAsync(new byte[65_536]);
                    }

                    break;
                case "/circle":
                    response.Redirect("/circle");
                    break;
                case "/elsewhere":
                    response.Redirect("ftp://example.com/video.mp4");
                    break;
                case "/inside":
                    response.Redirect(string.Create(CultureInfo.InvariantCulture, $"http://169.254.169.254:{Address.Port}/latest/meta-data"));
                    break;
                case "/hanging":
                    await response.Body.WriteAsync(new byte[1000]);
                    await response.Body.FlushAsync();
                    await WaitAsync(context);
                    break;
                default:
                    response.StatusCode = StatusCodes.Status404NotFound;
                    break;
            }
        }

        private static async Task WaitAsync(HttpContext context) =>
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
