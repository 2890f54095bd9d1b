using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Egress;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Webhooks;

/// <summary>Calls to the webhooks' REST API.</summary>
internal static class WebhookCalls
{
    public const string Path = "/api/v1/webhooks";

    private static CancellationToken Token => TestTime.Token;

    /// <summary>Registers a webhook.</summary>
    /// <param name="client">The owner's client.</param>
    /// <param name="members">JSON members in addition to the URL, starting with a comma.</param>
    /// <param name="url">The webhook's URL.</param>
    public static async Task<JsonNode> CreateWebhookAsync(this HttpClient client, string members = "", string url = "https://198.41.0.4/hook")
    {
        using var response = await client.PostAsync(Path, Answers.Json($$"""{"url":"{{url}}"{{members}}}"""), Token);
        var webhook = await response.DataAsync(HttpStatusCode.Created);
        Assert.Equal($"{Path}/{webhook["id"]}", response.Headers.Location?.OriginalString);
        return webhook;
    }

    public static async Task<JsonNode> GetDataAsync(this HttpClient client, string path)
    {
        using var response = await client.GetAsync(Path + path, Token);
        return await response.DataAsync();
    }

    public static async Task<JsonNode> PatchDataAsync(this HttpClient client, string id, string body)
    {
        using var response = await client.PatchAsync($"{Path}/{id}", Answers.Json(body), Token);
        return await response.DataAsync();
    }

    public static async Task<JsonNode> PostDataAsync(this HttpClient client, string path, string? body, HttpStatusCode status)
    {
        using var response = await client.PostAsync(Path + path, body is null ? null : Answers.Json(body), Token);
        return await response.DataAsync(status);
    }

    public static async Task<JsonObject> PostProblemAsync(this HttpClient client, string path, string? body, HttpStatusCode status, string code)
    {
        using var response = await client.PostAsync(Path + path, body is null ? null : Answers.Json(body), Token);
        return await response.ProblemAsync(status, code);
    }

    public static T Services<T>(this TestApi api)
        where T : notnull => api.App.Services.GetRequiredService<T>();

    public static string Id(this JsonNode node) => (string)node["id"]!;
}

/// <summary>Resolves the given names and no others.</summary>
internal sealed class NamesResolver(params (string Host, string[] Addresses)[] names) : IHostResolver
{
    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) => host switch
    {
        "slow.example" => Never(cancellationToken),
        _ => names.Where(name => name.Host == host).Select(name => name.Addresses).FirstOrDefault() is { } addresses
            ? Task.FromResult(addresses.Select(IPAddress.Parse).ToArray())
            : Task.FromException<IPAddress[]>(new System.Net.Sockets.SocketException((int)System.Net.Sockets.SocketError.HostNotFound)),
    };

    private static async Task<IPAddress[]> Never(CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.Infinite, cancellationToken);
        return [];
    }
}
