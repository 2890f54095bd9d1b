using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.Logging.Abstractions;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.ResultStore.Contents;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Worker;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Tests.ResultStore;

/// <summary>A result in a bucket, from the provider to its removal, through the services themselves.</summary>
public sealed class BucketTests(TestServers servers, S3Server s3)
{
    private const int Length = 20_000_000;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_large_result_is_stored_served_with_ranges_and_removed_with_its_generation()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var address = (await s3.AddressAsync()).GetLeftPart(UriPartial.Authority);
        (string Key, string Value)[] bucket =
        [
            ("Results:Folder", ""), ("Results:S3:Bucket", S3Server.Bucket), ("Results:S3:Endpoint", address),
            ("Results:S3:AccessKey", S3Server.Key), ("Results:S3:SecretKey", S3Server.Key),
        ];
        await using var api = await TestApi.StartAsync(
            scene.Database, scene.Redis, bucket.ToDictionary(setting => setting.Key, string? (setting) => setting.Value));
        var output = new ProviderStream("video/mp4", _ => Task.FromResult<Stream>(new PatternStream(Length)));
        await using var worker = await TestWorker.StartAsync(
            scene.Database, scene.Redis, new ScriptedProvider((_, _, _) => Task.FromResult(new ProviderResult([output], 1))), bucket);

        var update = await scene.WaitForAsync(await scene.SubmitAsync("sora"), GenerationStatus.Completed);

        var id = Assert.Single(update.Metadata!.ResultUrls!)[^32..];
        var whole = await api.Anonymous.GetByteArrayAsync($"/results/{id}", Token);
        Assert.True(PatternStream.Bytes(0, Length).AsSpan().SequenceEqual(whole));
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/results/{id}") { Headers = { Range = new RangeHeaderValue(17_000_000, 17_000_999) } };
        using var part = await api.Anonymous.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
        Assert.Equal(PatternStream.Bytes(17_000_000, 1000), await part.Content.ReadAsByteArrayAsync(Token));
        Assert.Empty(GenerationResultStoreTests.Files(scene.Database));

        await scene.Database.ExecuteAsync("UPDATE generations SET completed_at = now() - interval '91 days'", Token);
        var removed = (await worker.Retention.RunOnceAsync(Token))!;

        Assert.Equal((1, 1), (removed.Generations, removed.Contents));
        using var store = new S3ContentStore(await s3.OptionsAsync(), NullLogger<S3ContentStore>.Instance);
        Assert.Null(await store.OpenAsync(id, 0, 1, Token));
        using var gone = await api.Anonymous.GetAsync($"/results/{id}", Token);
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
    }
}
