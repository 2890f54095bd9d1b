using System.Net;
using StatusUpdates.Worker.Retention;

namespace StatusUpdates.Tests.Api;

/// <summary>What a user sees after retention has removed data.</summary>
public sealed class RemovedByRetentionTests(TestServers servers)
{
    private const string Path = "/api/v1/generations";

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_deleted_generation_is_found_nowhere_and_its_key_can_be_reused()
    {
        await using var api = await TestApi.StartAsync(servers);
        using var client = api.As("u");
        var id = await SubmitAsync(client);
        var kept = (await api.Database.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        using (var canceled = await client.PostAsync($"{Path}/{id}/cancel", null, Token))
        {
            Assert.Equal(HttpStatusCode.OK, canceled.StatusCode);
        }

        Assert.Equal(id, await SubmitAsync(client));
        await using (var pass = (await RetentionPass.TryBeginAsync(api.Database.Database, Token))!)
        {
            Assert.Equal(1, await pass.DeleteGenerationsAsync(TimeSpan.Zero, 10, Token));
        }

        foreach (var path in new[] { "", "/history", "/stream" })
        {
            using var response = await client.GetAsync($"{Path}/{id}{path}", Token);
            await response.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        }

        using (var cancel = await client.PostAsync($"{Path}/{id}/cancel", null, Token))
        {
            await cancel.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        }

        using var list = await client.GetAsync(Path, Token);
        var data = await list.DataAsync();
        Assert.Equal((1L, kept), ((long)data["total"]!, (string?)data["items"]![0]!["id"]));
        Assert.NotEqual(id, await SubmitAsync(client));

        // Its updates are still in the log.
        using var poll = await client.GetAsync("/api/v1/status/poll?since=0&timeout=0", Token);
        Assert.Equal(id, (string?)(await poll.DataAsync())["items"]![0]!["generationId"]);
    }

    [Fact]
    public async Task Trimmed_updates_cause_a_resync_for_clients_that_missed_them_and_an_incomplete_history()
    {
        await using var api = await TestApi.StartAsync(servers);
        var id = (await api.Database.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        await api.Database.SubmitAsync("u", cancellationToken: Token);
        await using (var pass = (await RetentionPass.TryBeginAsync(api.Database.Database, Token))!)
        {
            Assert.Equal([new LogEntryCount("u", 2)], await pass.TrimAsync(["u"], TimeSpan.Zero, 10, Token));
        }

        await api.Database.CreateCommands().CancelAsync("u", id, cancellationToken: Token);
        using var client = api.As("u");
        using var behind = await client.GetAsync("/api/v1/status/poll?since=1&timeout=0", Token);
        Assert.True((bool)(await behind.DataAsync())["resync"]!);
        using var upToDate = await client.GetAsync("/api/v1/status/poll?since=2&timeout=0", Token);
        Assert.Equal(3L, (long)(await upToDate.DataAsync())["items"]![0]!["seq"]!);

        using var all = await client.GetAsync($"{Path}/{id}/history", Token);
        var history = await all.DataAsync();
        Assert.False((bool)history["complete"]!);
        Assert.Equal("canceled", (string?)history["items"]![0]!["status"]);
        await api.Database.AssertConsistentAsync(Token);
    }

    private static async Task<string> SubmitAsync(HttpClient client)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Path)
        {
            Content = Answers.Json("""{"type":"chat","prompt":"hello"}"""),
            Headers = { { "Idempotency-Key", "k" } },
        };
        using var response = await client.SendAsync(request, Token);
        return (string)(await response.DataAsync(HttpStatusCode.Accepted))["id"]!;
    }
}
