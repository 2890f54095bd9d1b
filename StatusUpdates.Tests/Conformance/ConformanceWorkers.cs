using System.Net.Http.Json;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Conformance;

/// <summary>
/// The workers of the server under test. The tests' own server is an API without workers: those of the tests are its only ones. At
/// <c>STATUSUPDATES_BASE_URL</c> others would take what the tests submit: <c>STATUSUPDATES_WORKER_TYPE</c> names a type that nobody else does, whose task has
/// the same name. Tokens come from the server, or from <c>STATUSUPDATES_WORKER_TOKENS</c>: two, of different names, for all tasks.
/// </summary>
internal sealed class ConformanceWorkers(TestServers servers, SharedApi shared)
{
    private static readonly string[] Tokens =
        Environment.GetEnvironmentVariable("STATUSUPDATES_WORKER_TOKENS")?.Split(',', StringSplitOptions.TrimEntries) ?? [];

    private static readonly Dictionary<string, string?> Settings = new() { ["Attempts:RetryBackOff"] = "00:00:00.050" };

    /// <summary>The type of the generations, and the name of their task.</summary>
    public static string Type { get; } = Environment.GetEnvironmentVariable("STATUSUPDATES_WORKER_TYPE") ?? "sora";

    /// <summary>The users.</summary>
    public ConformanceTarget Users { get; } = new(async () => (await ApiAsync(servers, shared)).Address);

    /// <summary>A worker. Disposing it releases what it holds.</summary>
    /// <param name="id">Its <c>workerId</c>; a new one by default.</param>
    /// <param name="name">Which of the names of workers: 0 or 1.</param>
    public async Task<ConformanceWorker> StartAsync(string? id = null, int name = 0) => new(
        await Users.AddressAsync(), Tokens.Length > name ? Tokens[name] : await IssueAsync($"conformance-{name}", "*"), id ?? $"worker:{Guid.NewGuid():N}");

    /// <summary>A token for workers, with these tasks; skips the test if the server issues none.</summary>
    public async Task<string> IssueAsync(string name, params string[] tasks)
    {
        using var http = await Users.AnonymousAsync();
        using var response = await http.PostAsJsonAsync("/api/v1/dev/worker-token", new { name, tasks }, TestTime.Token);
        Assert.SkipWhen(response.StatusCode == System.Net.HttpStatusCode.NotFound, "The server issues no tokens.");
        return (string)(await response.DataAsync())["token"]!;
    }

    private static Task<TestApi> ApiAsync(TestServers servers, SharedApi shared) => shared.ApiAsync(() => TestApi.StartAsync(servers, Settings));
}
