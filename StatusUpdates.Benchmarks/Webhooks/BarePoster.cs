using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Webhooks;

/// <summary>The floor: a loop around <see cref="HttpClient"/> that posts bodies of the same size. No log, signatures, order, retries or records.</summary>
internal static class BarePoster
{
    /// <summary>The name of this helper.</summary>
    public const string Command = "post-bare";

    public static Task RunAsync()
    {
        var app = WebApplication.CreateSlimBuilder().Build();
        app.MapGet("/ready", () => "ready");
        app.MapPost("/post", async (string url, int count, int size, int concurrency) =>
        {
            using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
            var body = new byte[size];
            Array.Fill(body, (byte)' ');
            var left = count;
            await Task.WhenAll(Enumerable.Range(0, concurrency).Select(async i =>
            {
                while (Interlocked.Decrement(ref left) >= 0)
                {
                    using var content = new ByteArrayContent(body);
                    content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                    using var response = await http.PostAsync(new Uri($"{url}/{i}"), content);
                    response.EnsureSuccessStatusCode();
                }
            }));
            return Results.Ok();
        });
        return app.RunAsync();
    }

    /// <summary>Makes a running poster send requests.</summary>
    public static Task PostAsync(ServerProcess poster, string url, int count, int size, int concurrency, CancellationToken cancellationToken) =>
        poster.PostAsync(
            string.Create(CultureInfo.InvariantCulture, $"/post?url={WebUtility.UrlEncode(url)}&count={count}&size={size}&concurrency={concurrency}"),
            cancellationToken);
}
