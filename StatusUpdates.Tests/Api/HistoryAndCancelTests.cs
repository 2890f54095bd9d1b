using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Api;

public sealed class HistoryAndCancelTests(TestServers servers)
{
    private const string Path = "/api/v1/generations";

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_history_contains_the_lifecycle_from_pending_to_completed()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.Database.SubmitAsync("u", cancellationToken: Token);
        var job = Assert.Single((await api.Database.ClaimAsync(cancellationToken: Token)).Claimed);
        await AppendAsync(api, job.Id, job.Attempt, GenerationStatus.Processing);
        await AppendAsync(api, job.Id, job.Attempt, GenerationStatus.Completed);

        var history = await GetAsync(api, job.Id, "");
        Assert.Equal(["pending", "processing", "processing", "completed"], Items(history).Select(u => (string)u["status"]!));
        Assert.Equal([1L, 2, 3, 4], Items(history).Select(u => (long)u["seq"]!));
        Assert.True((bool)history["complete"]!);
        Assert.All(Items(history), update => Assert.Equal((job.Id, "u"), ((string?)update["generationId"], (string?)update["userId"])));
        Assert.All(Items(history), update => Assert.DoesNotContain("traceparent", update.AsObject().Select(member => member.Key)));

        Assert.Equal([3L, 4], Items(await GetAsync(api, job.Id, "?since=2")).Select(u => (long)u["seq"]!));
        Assert.Equal([2L], Items(await GetAsync(api, job.Id, "?since=1&limit=1")).Select(u => (long)u["seq"]!));
        Assert.Empty(Items(await GetAsync(api, job.Id, "?since=9007199254740991")));
    }

    [Fact]
    public async Task A_history_reports_that_part_of_it_was_trimmed()
    {
        await using var api = await TestApi.StartAsync(servers);
        var id = (await api.Database.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        await api.Database.CreateCommands().CancelAsync("u", id, cancellationToken: Token);
        await api.Database.ExecuteAsync(
            "DELETE FROM status_events WHERE seq = 1; UPDATE user_streams SET oldest_seq = 2", Token);

        Assert.False((bool)(await GetAsync(api, id, ""))["complete"]!);
        Assert.True((bool)(await GetAsync(api, id, "?since=1"))["complete"]!);
    }

    [Fact]
    public async Task A_pending_generation_is_canceled_at_once_and_stays_canceled()
    {
        await using var api = await TestApi.StartAsync(servers);
        var id = (await api.Database.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        for (var i = 0; i < 2; i++)
        {
            using var response = await CancelAsync(api, id);
            var generation = await response.DataAsync();
            Assert.Equal(("canceled", 2L), ((string?)generation["status"], (long)generation["seq"]!));
        }

        await api.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_running_generation_is_asked_to_stop()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.Database.SubmitAsync("u", cancellationToken: Token);
        var job = Assert.Single((await api.Database.ClaimAsync(cancellationToken: Token)).Claimed);
        using var response = await CancelAsync(api, job.Id);
        var generation = await response.DataAsync(HttpStatusCode.Accepted);
        Assert.Equal("processing", (string?)generation["status"]);
        Assert.NotNull((string?)generation["cancelRequestedAt"]);
    }

    [Theory]
    [InlineData(GenerationStatus.Completed)]
    [InlineData(GenerationStatus.Failed)]
    public async Task A_generation_that_has_ended_cannot_be_canceled(GenerationStatus status)
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.Database.SubmitAsync("u", cancellationToken: Token);
        var job = Assert.Single((await api.Database.ClaimAsync(cancellationToken: Token)).Claimed);
        await AppendAsync(api, job.Id, job.Attempt, status);
        using var response = await CancelAsync(api, job.Id);
        await response.ProblemAsync(HttpStatusCode.Conflict, "generation_terminal");
    }

    private static Task<AppendResult> AppendAsync(TestApi api, string id, int attempt, GenerationStatus status) => api.Database.Log.AppendAsync(
        new StatusChange { GenerationId = id, Status = status, Attempt = attempt, TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
        Token);

    private static Task<HttpResponseMessage> CancelAsync(TestApi api, string id) => api.As("u").PostAsync($"{Path}/{id}/cancel", null, Token);

    private static async Task<JsonNode> GetAsync(TestApi api, string id, string query)
    {
        using var response = await api.As("u").GetAsync($"{Path}/{id}/history{query}", Token);
        return await response.DataAsync();
    }

    private static IEnumerable<JsonNode> Items(JsonNode history) => history["items"]!.AsArray().Select(item => item!);
}
