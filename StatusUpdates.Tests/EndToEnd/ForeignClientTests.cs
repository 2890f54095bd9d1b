using System.Text.Json;
using System.Text.RegularExpressions;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>Programs in another language, written only from the first description of the system.</summary>
public sealed partial class ForeignClientTests(RunningSystem system)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_JavaScript_WebSocket_client_gets_pending_processing_and_completed_of_its_own_user_only()
    {
        var me = await system.SignInAsync($"ws-{Guid.NewGuid():N}", Token);
        var other = await system.SignInAsync($"other-{Guid.NewGuid():N}", Token);
        await using var client = await NodeProgram.StartAsync("ws-client.mjs", null, me.WebSocketAddress.ToString(), me.Token);
        Assert.Equal("connected", (await client.NextAsync(Token)).GetProperty("type").GetString());

        await other.SubmitAsync("product_card", "not yours", Token);
        var id = await me.SubmitAsync("product_card", "clean", Token);
        var messages = await client.RestAsync(Token);

        AssertLifecycle(me.UserId, id, [.. messages.Select(m => m.GetProperty("payload"))]);
        Assert.All(messages, m => Assert.Equal("status_update", m.GetProperty("type").GetString()));
    }

    [Fact]
    public async Task A_JavaScript_Redis_subscriber_gets_pending_processing_and_completed_of_its_own_user_only()
    {
        var me = await system.SignInAsync($"redis-{Guid.NewGuid():N}", Token);
        var other = await system.SignInAsync($"other-{Guid.NewGuid():N}", Token);
        await using var client = await NodeProgram.StartAsync("ioredis-subscriber.mjs", await system.RedisAsync(), me.UserId);
        Assert.Equal("subscribed", (await client.NextAsync(Token)).GetProperty("type").GetString());

        await other.SubmitAsync("sora", "not yours", Token);
        var id = await me.SubmitAsync("sora", "waves", Token);
        var messages = await client.RestAsync(Token);

        // Not always in order: the API and a worker each publish after their own commit. The position gives the order.
        var bySeq = messages.Select(m => m.GetProperty("payload")).OrderBy(p => p.GetProperty("seq").GetInt64()).ToList();
        Assert.Equal(bySeq.Count, bySeq.DistinctBy(p => p.GetProperty("seq").GetInt64()).Count());
        AssertLifecycle(me.UserId, id, bySeq);
        Assert.All(messages, m => Assert.Equal($"generation:user:{me.UserId}", m.GetProperty("channel").GetString()));
    }

    [Fact]
    public async Task Updates_that_a_JavaScript_publisher_sends_in_the_original_format_reach_subscribers_and_sockets()
    {
        var me = await system.SignInAsync($"js-{Guid.NewGuid():N}", Token);
        var redis = await system.RedisAsync();
        await using var connection = await StackExchange.Redis.ConnectionMultiplexer.ConnectAsync(redis);
        var received = new TaskCompletionSource<StatusUpdate>();
        await using var subscription = await new StatusSubscriber(connection).SubscribeUserAsync(me.UserId, received.SetResult, cancellationToken: Token);
        await using var socket = await NodeProgram.StartAsync("ws-client.mjs", null, me.WebSocketAddress.ToString(), me.Token);
        await socket.NextAsync(Token);

        await using var publisher = await NodeProgram.StartAsync("ioredis-publisher.mjs", redis, me.UserId, "gen-123");
        await publisher.RestAsync(Token);

        var update = await received.Task.WaitAsync(Token);
        Assert.Equal(("gen-123", GenerationStatus.Completed, 10L, null), (update.GenerationId, update.Status, update.Metadata!.TokensUsed, update.Seq));
        var payload = Assert.Single(await socket.RestAsync(Token)).GetProperty("payload");
        Assert.Equal("gen-123", payload.GetProperty("generationId").GetString());
        Assert.False(payload.TryGetProperty("seq", out _));
    }

    [Fact]
    public async Task REST_responses_have_the_documented_shapes()
    {
        var me = await system.SignInAsync($"rest-{Guid.NewGuid():N}", Token);
        await using var client = await NodeProgram.StartAsync("ws-client.mjs", null, me.WebSocketAddress.ToString(), me.Token);
        await client.NextAsync(Token);
        var id = await me.SubmitAsync("product_card", "Product card: clean", Token);
        await client.RestAsync(Token);

        var list = await RunningSystem.Data(await me.Http.GetAsync(new Uri("/api/v1/generations", UriKind.Relative), Token), Token);
        var one = await RunningSystem.Data(await me.Http.GetAsync(new Uri($"/api/v1/generations/{id}", UriKind.Relative), Token), Token);

        Assert.Equal((1, 50, 0), (list.GetProperty("total").GetInt32(), list.GetProperty("limit").GetInt32(), list.GetProperty("offset").GetInt32()));
        foreach (var generation in new[] { Assert.Single(list.GetProperty("items").EnumerateArray()), one })
        {
            Assert.Equal(
                [id, me.UserId, "product_card", "completed", "Product card: clean"],
                new[] { "id", "userId", "type", "status", "prompt" }.Select(name => generation.GetProperty(name).GetString()));
            Assert.Equal(JsonValueKind.Number, generation.GetProperty("tokensUsed").ValueKind);
            Assert.NotEmpty(generation.GetProperty("resultUrls").EnumerateArray());
            foreach (var name in new[] { "createdAt", "updatedAt", "startedAt", "completedAt" })
            {
                Assert.Matches(IsoMilliseconds(), generation.GetProperty(name).GetString());
            }
        }

        var result = await me.Http.GetAsync(new Uri(one.GetProperty("resultUrls")[0].GetString()!), Token);
        Assert.Equal("image/png", result.Content.Headers.ContentType!.MediaType);
        Assert.NotEmpty(await result.Content.ReadAsByteArrayAsync(Token));
    }

    private static void AssertLifecycle(string userId, string generationId, IReadOnlyList<JsonElement> payloads)
    {
        var statuses = payloads.Select(p => p.GetProperty("status").GetString()!).ToList();
        Assert.Equal(["pending", "processing", "completed"], statuses.Distinct());
        Assert.Equal(statuses.OrderBy(s => Array.IndexOf(["pending", "processing", "completed"], s)), statuses);
        Assert.All(payloads, p =>
        {
            Assert.Equal(userId, p.GetProperty("userId").GetString());
            Assert.Equal(generationId, p.GetProperty("generationId").GetString());
            Assert.InRange(p.GetProperty("timestamp").GetInt64(), 1_700_000_000_000, 4_000_000_000_000);
        });
        var metadata = payloads[^1].GetProperty("metadata");
        Assert.NotEmpty(metadata.GetProperty("resultUrls").EnumerateArray());
        Assert.Equal(JsonValueKind.Number, metadata.GetProperty("tokensUsed").ValueKind);
    }

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
    private static partial Regex IsoMilliseconds();
}
