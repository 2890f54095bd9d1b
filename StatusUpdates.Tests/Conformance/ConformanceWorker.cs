using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Conformance;

/// <summary>A worker that uses only the protocol, and waits for nothing by itself.</summary>
internal sealed class ConformanceWorker : IAsyncDisposable
{
    public const string Path = "/api/v1/worker";

    public ConformanceWorker(Uri address, string token, string id)
    {
        Id = id;
        Http = HttpClients.Create(address);
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    public string Id { get; }

    public HttpClient Http { get; }

    private static CancellationToken Time => TestTime.Token;

    /// <summary>The attempt of a lease, or of an entry of a heartbeat's answer.</summary>
    public static (string Id, int Attempt) Of(JsonNode lease) => ((string)lease["id"]!, (int)lease["attempt"]!);

    /// <summary>Posts a body as it is, under the path.</summary>
    public Task<HttpResponseMessage> PostAsync(string path, JsonNode? body) => Http.PostAsync($"{Path}/{path}", Answers.Json(body?.ToJsonString() ?? "null"), Time);

    /// <summary>A body with the worker's id, and what else is given.</summary>
    public JsonObject Body(params (string Name, JsonNode? Value)[] members)
    {
        var body = new JsonObject { ["workerId"] = Id };
        foreach (var (name, value) in members)
        {
            body[name] = value?.DeepClone();
        }

        return body;
    }

    public JsonObject ClaimBody(int free = 10, int wait = 0, int lease = 60, params (string Name, JsonNode? Value)[] more) =>
        Body([("tasks", new JsonArray(ConformanceWorkers.Type)), ("free", free), ("waitSeconds", wait), ("leaseSeconds", lease), .. more]);

    /// <summary>Claims without waiting, unless that is asked for.</summary>
    public async Task<JsonNode[]> ClaimAsync(int free = 10, int wait = 0, int lease = 60, params (string Name, JsonNode? Value)[] more)
    {
        using var response = await PostAsync("claim", ClaimBody(free, wait, lease, more));
        return [.. (await response.DataAsync())["generations"]!.AsArray().Select(lease => lease!)];
    }

    /// <summary>Claims the one generation that there is.</summary>
    public async Task<JsonNode> ClaimOneAsync(int lease = 60) => Assert.Single(await ClaimAsync(free: 1, wait: 30, lease));

    /// <summary>Extends the leases of these.</summary>
    public async Task<JsonNode> HeartbeatAsync(IEnumerable<JsonNode> generations, int lease = 60, int wait = 0)
    {
        var list = new JsonArray([.. generations.Select(one => new JsonObject { ["id"] = (string)one["id"]!, ["attempt"] = (int)one["attempt"]! })]);
        using var response = await PostAsync("heartbeat", Body(("generations", list), ("leaseSeconds", lease), ("waitSeconds", wait)));
        return await response.DataAsync();
    }

    /// <summary>A call for a lease: <c>update</c>, <c>complete</c>, <c>fail</c> or <c>release</c>.</summary>
    public Task<HttpResponseMessage> CallAsync(string call, JsonNode lease, params (string Name, JsonNode? Value)[] more) =>
        PostAsync($"generations/{(string)lease["id"]!}/{call}", Body([("attempt", (int)lease["attempt"]!), .. more]));

    /// <summary>The outcome of a call that succeeds.</summary>
    public async Task<JsonNode> EndAsync(string call, JsonNode lease, params (string Name, JsonNode? Value)[] more)
    {
        using var response = await CallAsync(call, lease, more);
        return await response.DataAsync();
    }

    public Task<JsonNode> CompleteAsync(JsonNode lease) => EndAsync("complete", lease, ("resultUrls", new JsonArray("https://results.example.com/1")));

    public Task<HttpResponseMessage> UploadAsync(JsonNode lease, HttpContent content) =>
        Http.PostAsync($"{Path}/generations/{(string)lease["id"]!}/results?workerId={Id}&attempt={(int)lease["attempt"]!}", content, Time);

    public async ValueTask DisposeAsync()
    {
        foreach (var lease in (await HeartbeatAsync([]))["unlisted"]!.AsArray())
        {
            using var released = await CallAsync("release", lease!);
        }

        Http.Dispose();
    }
}
