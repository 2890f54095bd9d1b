using System.Net;
using System.Text;
using Receiver;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Webhooks;

/// <summary>From the REST API to a real receiver and back.</summary>
public sealed class WebhookJourneyTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_webhook_registered_by_REST_gets_signed_messages_and_gets_them_again_on_request()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await using var api = await TestApi.StartAsync(scene.Database, scene.Redis);
        await using var worker = await scene.StartWorkerAsync();
        var client = api.As("u");
        var webhook = await client.CreateWebhookAsync(url: receiver.Url());
        var id = webhook.Id();
        var secret = (string)webhook["secret"]!;

        // A test, then an update.
        var test = await client.PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted);
        await Eventually.TrueAsync(() => receiver.Taken.Count == 1);
        Assert.Equal("webhook.test", receiver.Taken[0].Type);
        Assert.Equal((string?)test["messageId"], receiver.Taken[0].Id);
        var generation = await scene.SubmitAsync();
        await scene.AppendAsync(generation, GenerationStatus.Completed);
        await Eventually.TrueAsync(() => receiver.Taken.Count == 3);
        Assert.All(receiver.Taken, message => Assert.True(IsGenuine(message, secret)));

        // Rotated: both secrets match until the overlap is over, and then only the new one. A change does not resend what is recorded.
        await UntilDeliveredAsync();
        var rotated = (string)(await client.PostDataAsync($"/{id}/rotate-secret", null, HttpStatusCode.OK))["secret"]!;
        await client.PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted);
        await Eventually.TrueAsync(() => receiver.Taken.Count == 4);
        Assert.True(IsGenuine(receiver.Taken[3], secret));
        Assert.True(IsGenuine(receiver.Taken[3], rotated));
        await UntilDeliveredAsync();
        var last = (string)(await client.PostDataAsync($"/{id}/rotate-secret", """{"overlapSeconds":0}""", HttpStatusCode.OK))["secret"]!;
        await client.PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted);
        await Eventually.TrueAsync(() => receiver.Taken.Count == 5);
        Assert.False(IsGenuine(receiver.Taken[4], rotated));
        Assert.True(IsGenuine(receiver.Taken[4], last));

        // Replayed: the range in order, then one delivery; the messages are the same byte for byte.
        await UntilDeliveredAsync();
        await client.PostDataAsync($"/{id}/replay", """{"since":0}""", HttpStatusCode.Accepted);
        await Eventually.TrueAsync(() => receiver.Taken.Count == 7);
        Assert.Equal(receiver.Taken.Skip(1).Take(2).Select(m => (m.Id, m.Body)), receiver.Taken.Skip(5).Select(m => (m.Id, m.Body)));
        await UntilDeliveredAsync();
        var delivery = (await client.GetDataAsync($"/{id}/deliveries?state=delivered"))["items"]!.AsArray().First(d => (long?)d!["seq"] == 2)!;
        Assert.Equal(receiver.Taken[2].Id, (string?)delivery["messageId"]);
        await client.PostDataAsync($"/{id}/deliveries/{delivery.Id()}/replay", null, HttpStatusCode.Accepted);
        await Eventually.TrueAsync(() => receiver.Taken.Count == 8);
        Assert.Equal(receiver.Taken[2].Body, receiver.Taken[7].Body);
        await UntilDeliveredAsync();
        var attempts = (await client.GetDataAsync($"/{id}/deliveries/{delivery.Id()}"))["attempts"]!.AsArray();
        Assert.Equal([204, 204, 204], attempts.Select(attempt => (int)attempt!["statusCode"]!));

        // Deleted: nothing more arrives. What another webhook gets afterwards shows that it would have.
        using (var deleted = await client.DeleteAsync($"{WebhookCalls.Path}/{id}", Token))
        {
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        }

        await client.CreateWebhookAsync(url: receiver.Url("other"));
        await scene.SubmitAsync();
        await Eventually.TrueAsync(() => receiver.Taken.Count == 9);
        Assert.Equal("other", receiver.Taken[8].Path);

        // Waits until every accepted message is recorded as an attempt: one that is not would be sent again.
        Task UntilDeliveredAsync() => scene.Database.UntilAsync(
            $"SELECT sum(jsonb_array_length(attempts)) = {receiver.Taken.Count} AND bool_and(state = 'delivered') FROM webhook_deliveries");
    }

    [Fact]
    public async Task A_webhook_that_was_disabled_shows_why_and_gets_everything_in_order_once_its_owner_enables_it()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await using var api = await TestApi.StartAsync(scene.Database, scene.Redis);
        await using var worker = await scene.StartWorkerAsync();
        var client = api.As("u");
        receiver.Answer = (_, _) => Task.FromResult(500);
        var id = (await client.CreateWebhookAsync(url: receiver.Url())).Id();
        var generation = await scene.SubmitAsync();
        await scene.AppendAsync(generation, count: 3);
        await scene.Database.UntilAsync("SELECT disabled_at IS NOT NULL FROM webhooks");

        var disabled = await client.GetDataAsync($"/{id}");
        Assert.False((bool)disabled["enabled"]!);
        Assert.Equal("failing", (string?)disabled["disabledReason"]);
        Assert.NotNull(disabled["failingSince"]);
        var pending = (await client.GetDataAsync($"/{id}/deliveries?state=pending"))["items"]!.AsArray();
        var attempt = (await client.GetDataAsync($"/{id}/deliveries/{pending.Single(d => (long)d!["seq"]! == 1)!.Id()}"))["attempts"]![0]!;
        Assert.Equal(500, (int)attempt["statusCode"]!);
        Assert.NotEmpty((string)attempt["error"]!);

        await scene.AppendAsync(generation, GenerationStatus.Completed);
        receiver.Answer = (_, _) => Task.FromResult(204);
        var enabled = await client.PatchDataAsync(id, """{"enabled":true}""");

        Assert.True((bool)enabled["enabled"]!);
        await Eventually.TrueAsync(() => receiver.Taken.Count >= 5);
        Assert.Equal([1L, 2, 3, 4, 5], receiver.Taken.Select(message => message.Seq));
    }

    private static bool IsGenuine(Received message, string secret) => WebhookVerifier.IsGenuine(
        message.Id, message.Timestamp, message.Signature, Encoding.UTF8.GetBytes(message.Body), secret, TimeProvider.System.GetUtcNow());
}
