using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

/// <summary>The opening handshake of <c>/ws/status</c> as a plain request, so that any response can be inspected.</summary>
internal static class Handshake
{
    // RFC 6455, section 1.3.
    private const string SampleKey = "dGhlIHNhbXBsZSBub25jZQ==";

    public static Task<HttpResponseMessage> ShakeAsync(
        TestApi api, string? token, string query = "", string version = "13", string key = SampleKey, string? origin = null) =>
        ShakeAsync(api.CreateClient(token), query, version, key, origin);

    public static async Task<HttpResponseMessage> ShakeAsync(
        HttpClient client, string query = "", string version = "13", string key = SampleKey, string? origin = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "ws/status" + query);
        request.Headers.Connection.Add("Upgrade");
        request.Headers.Upgrade.ParseAdd("websocket");
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Version", version);
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Key", key);
        if (origin is not null)
        {
            request.Headers.TryAddWithoutValidation("Origin", origin);
        }

        // A response that switches protocols has no end to wait for.
        return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestTime.Token);
    }
}
