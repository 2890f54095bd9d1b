using System.Text.Json.Nodes;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

[Long]
public sealed class ChangingTransportTests(TestServers servers)
{
    private static readonly Dictionary<string, string?> Settings = new()
    {
        ["RateLimits:User:Burst"] = "1000000",
        ["RateLimits:User:PermitsPerSecond"] = "1000000",
    };

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_client_that_changes_transport_and_instance_after_every_update_gets_the_whole_log()
    {
        const int Updates = 5_000;
        await using var first = await TestApi.StartAsync(servers, Settings);
        await using var second = await first.StartAnotherAsync(settings: Settings);
        var job = Assert.Single(await Job.StartAsync(first, "alice", 1));
        var writing = WriteAsync(first, job, Updates - 3);

        var instances = new[] { first, second }.Select(api => (Api: api, Http: api.As("alice"))).ToArray();
        var seen = new List<JsonNode>();
        for (var last = 0L; last < Updates; last = (long)seen[^1]["seq"]!)
        {
            var (api, http) = instances[seen.Count % 2];
            seen.Add((seen.Count / 2 % 4) switch
            {
                0 => await BySocketAsync(api, last),
                1 => await ByStreamAsync(api, last),
                2 => await ByPollAsync(http, last),
                _ => await ByHistoryAsync(http, job.GenerationId, last),
            });
        }

        await writing;
        var log = (await first.Database.Log.ReadAfterAsync("alice", 0, Updates + 1, Token)).Items;
        Assert.Equal(Updates, log.Count);
        Assert.Equal(
            log.Select(update => JsonNode.Parse(StatusJson.Encode(update with { TraceParent = null }))!.ToJsonString()),
            seen.Select(update => update.ToJsonString()));
    }

    private static async Task WriteAsync(TestApi api, Job job, int progress)
    {
        for (var i = 0; i < progress; i++)
        {
            await api.UpdateAsync(job.Change(progress: i * 100 / progress));
        }

        await api.UpdateAsync(job.Change(GenerationStatus.Completed));
    }

    private static async Task<JsonNode> BySocketAsync(TestApi api, long since)
    {
        await using var client = await SocketClient.ConnectAsync(api, "alice", $"?since={since}");
        return await client.NextPayloadAsync();
    }

    private static async Task<JsonNode> ByStreamAsync(TestApi api, long since)
    {
        await using var client = await EventClient.ConnectAsync(api, "alice", lastEventId: $"{since}");
        return await client.NextUpdateAsync();
    }

    private static async Task<JsonNode> ByPollAsync(HttpClient http, long since)
    {
        while (true)
        {
            using var response = await http.GetAsync($"/api/v1/status/poll?since={since}", Token);
            if ((await response.DataAsync())["items"]!.AsArray() is [{ } next, ..])
            {
                return next;
            }
        }
    }

    private static async Task<JsonNode> ByHistoryAsync(HttpClient http, string generationId, long since)
    {
        while (true)
        {
            using var response = await http.GetAsync($"/api/v1/generations/{generationId}/history?since={since}&limit=1", Token);
            if ((await response.DataAsync())["items"]!.AsArray() is [{ } next])
            {
                return next;
            }
        }
    }
}
