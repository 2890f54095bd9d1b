using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;
using StatusUpdates.Tests.Worker;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Tests.Scenarios;

[Long]
[Collection(WholeMachine.Name)]
public sealed class CancelRaceTests(TestServers servers, ITestOutputHelper output)
{
    private const int Lanes = 20;
    private const string Path = "/api/v1/generations";

    private static readonly int Each = ScenarioSize.Of(small: 50, full: 250);

    private static readonly Dictionary<string, string?> Settings = new()
    {
        ["RateLimits:User:Burst"] = "1000000",
        ["RateLimits:User:PermitsPerSecond"] = "1000000",
        ["Logging:LogLevel:Default"] = "Warning",
    };

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Either_cancellation_or_completion_wins_and_every_source_reports_the_same()
    {
        await using var api = await TestApi.StartAsync(servers, Settings);
        var provider = new ScriptedProvider(async (request, _, token) =>
        {
            // The delay is part of the test: the worker takes about as long to its last update as a request takes to the database.
            await Task.Delay((int)(request.Seed % 12), token);
            return new([new ProviderLink(new Uri("https://example.com/result"))], 1);
        });
        await using var worker = await TestWorker.StartAsync(
            api.Database, api.Redis, provider, ("Worker:Concurrency", "64"), ("Logging:LogLevel:Default", "Warning"));

        var ends = await Task.WhenAll(Enumerable.Range(0, Lanes).Select(lane => RunAsync(api, $"user-{lane}", new Random(lane))));

        await worker.StopAsync();
        var canceled = ends.Sum(e => e.Values.Count(status => status == "canceled"));
        output.WriteLine($"{Lanes * Each} races: canceled {canceled}, completed {ends.Sum(e => e.Count) - canceled}");
        Assert.InRange(canceled, 1, (Lanes * Each) - 1);
        Assert.Equal((long)Lanes * Each, await api.Database.ScalarAsync<long>(
            "SELECT count(*) FROM status_events WHERE status IN ('completed', 'failed', 'canceled')", Token));
        await api.Database.AssertConsistentAsync(Token);
    }

    private static async Task<IReadOnlyDictionary<string, string>> RunAsync(TestApi api, string user, Random random)
    {
        var http = api.As(user);
        await using var socket = await SocketClient.ConnectAsync(api, user);
        await using var stream = await EventClient.ConnectAsync(api, user);
        var bySocket = new Ends(async () => await socket.NextPayloadAsync());
        var byStream = new Ends(stream.NextUpdateAsync);
        var reading = Task.WhenAll(bySocket.ReadAsync(Each), byStream.ReadAsync(Each));
        for (var i = 0; i < Each; i++)
        {
            using var submission = await http.PostAsync(
                Path, Answers.Json($$"""{"type":"product_card","prompt":"{{user}} {{i}}"}"""), Token);
            var id = (string)(await submission.DataAsync(HttpStatusCode.Accepted))["id"]!;
            await Task.Delay(random.Next(12), Token);
            using var answer = await http.PostAsync($"{Path}/{id}/cancel", null, Token);
            var end = await bySocket.OfAsync(id);
            Assert.Equal(end, await byStream.OfAsync(id));

            // The response to the request is right: canceled, refused, or not decided yet.
            Assert.True(
                answer.StatusCode switch
                {
                    HttpStatusCode.OK => end == "canceled",
                    HttpStatusCode.Conflict => end == "completed",
                    _ => answer.StatusCode == HttpStatusCode.Accepted && end is "canceled" or "completed",
                },
                $"{answer.StatusCode} and {end}");
            using var generation = await http.GetAsync($"{Path}/{id}", Token);
            Assert.Equal(end, (string?)(await generation.DataAsync())["status"]);
            using var past = await http.GetAsync($"{Path}/{id}/history", Token);
            var history = (await past.DataAsync())["items"]!.AsArray();
            Assert.Equal([end], history.Select(u => (string)u!["status"]!).Where(s => s is not ("pending" or "processing")));
            Assert.Equal(end, (string?)history[^1]!["status"]);
        }

        await reading;
        Assert.Equal(bySocket.All, byStream.All);
        return bySocket.All;
    }

    /// <summary>The final statuses that a transport delivers; a second one of a generation is a failure.</summary>
    private sealed class Ends(Func<Task<JsonNode>> nextAsync)
    {
        private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _ends = new(StringComparer.Ordinal);

        public IReadOnlyDictionary<string, string> All => _ends.ToDictionary(e => e.Key, e => e.Value.Task.Result);

        public Task<string> OfAsync(string id) => At(id).Task.WaitAsync(TestTime.Patience, Token);

        public async Task ReadAsync(int count)
        {
            while (count > 0)
            {
                var update = await nextAsync();
                var status = (string)update["status"]!;
                if (status is not ("pending" or "processing"))
                {
                    At((string)update["generationId"]!).SetResult(status);
                    count--;
                }
            }
        }

        private TaskCompletionSource<string> At(string id) =>
            _ends.GetOrAdd(id, _ => new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously));
    }
}
