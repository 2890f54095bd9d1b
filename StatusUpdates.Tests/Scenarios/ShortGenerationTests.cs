using System.Text.Json.Nodes;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

[Long]
[Collection(WholeMachine.Name)]
public sealed class ShortGenerationTests(TestServers servers)
{
    private static readonly Dictionary<string, string?> Settings = new()
    {
        ["RateLimits:User:Burst"] = "1000000",
        ["RateLimits:User:PermitsPerSecond"] = "1000000",
    };

    [Fact]
    public async Task The_end_of_a_generation_is_received_however_soon_it_comes_and_whenever_the_stream_was_opened()
    {
        const int Lanes = 20;
        var each = ScenarioSize.Of(small: 50, full: 250);
        await using var first = await TestApi.StartAsync(servers, Settings);
        await using var second = await first.StartAnotherAsync(settings: Settings);
        await Task.WhenAll(Enumerable.Range(0, Lanes).Select(lane => RunAsync([first, second], $"user-{lane}", each, new Random(lane))));
        Assert.Equal(
            Lanes * each,
            await first.Database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'failed'", TestTime.Token));
    }

    private static async Task RunAsync(TestApi[] apis, string user, int count, Random random)
    {
        // Streams that are open from the start, one for each transport.
        await using var socket = await SocketClient.ConnectAsync(apis[0], user);
        await using var stream = await EventClient.ConnectAsync(apis[1], user);
        for (var i = 0; i < count; i++)
        {
            var submitted = await apis[i % 2].PublishAsync(user);
            var ending = EndAsync(apis[i % 2], submitted.GenerationId, random.Next(51));
            var api = apis[random.Next(2)];
            switch (random.Next(6))
            {
                case 0:
                    await UntilEndAsync(async () => await socket.NextPayloadAsync(), submitted.GenerationId);
                    break;
                case 1:
                    await UntilEndAsync(stream.NextUpdateAsync, submitted.GenerationId);
                    break;
                case 2:
                    await FollowAsync(api, user, submitted.GenerationId);
                    break;
                case 3:
                    await ending;
                    await FollowAsync(api, user, submitted.GenerationId);
                    break;
                case 4:
                    await using (var during = await SocketClient.ConnectAsync(api, user, $"?since={submitted.Seq}&generationId={submitted.GenerationId}"))
                    {
                        await UntilEndAsync(async () => await during.NextPayloadAsync(), submitted.GenerationId);
                    }

                    break;
                default:
                    await ending;
                    await using (var after = await EventClient.ConnectAsync(api, user, EventClient.All + $"?since={submitted.Seq}"))
                    {
                        await UntilEndAsync(after.NextUpdateAsync, submitted.GenerationId);
                    }

                    break;
            }

            await ending;
        }
    }

    // The delay is part of the test, not a wait for something.
    private static async Task EndAsync(TestApi api, string generationId, int milliseconds)
    {
        await Task.Delay(milliseconds, TestTime.Token);
        await api.UpdateAsync(new StatusChange { GenerationId = generationId, Status = GenerationStatus.Failed });
    }

    private static async Task FollowAsync(TestApi api, string user, string generationId)
    {
        await using var client = await EventClient.ConnectAsync(api, user, $"/api/v1/generations/{generationId}/stream");
        Assert.Equal("pending", (string?)(await client.NextUpdateAsync())["status"]);
        Assert.Equal("failed", (string?)(await client.NextUpdateAsync())["status"]);
        Assert.True(await client.EndsAsync());
    }

    private static async Task UntilEndAsync(Func<Task<JsonNode>> next, string generationId)
    {
        while (await next() is var update
            && ((string?)update["generationId"] != generationId || (string?)update["status"] != "failed"))
        {
        }
    }
}
