using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Text;
using Microsoft.IdentityModel.Tokens;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>The API as it is deployed: a process in Production that trusts an issuer.</summary>
public sealed class ProductionTests(TestServers servers)
{
    private const string Audience = "statusupdates";
    private const string Path = "/api/v1/generations";

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task With_an_issuer_the_API_accepts_the_tokens_of_that_issuer_and_no_others()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        await using var issuer = await TestIssuer.StartAsync();
        var address = LoopbackPort.FindFreeAddress();
        await using var api = new ChildProcess("StatusUpdates.Api.dll", new Dictionary<string, string?>(TestSettings.Of(database, redis))
        {
            ["DOTNET_ENVIRONMENT"] = "Production",
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["ASPNETCORE_URLS"] = address.GetLeftPart(UriPartial.Authority),
            ["Authentication:Schemes:Bearer:Authority"] = issuer.Url,
            ["Authentication:Schemes:Bearer:ValidAudiences:0"] = Audience,
            ["Authentication:Schemes:Bearer:RequireHttpsMetadata"] = "false",
            ["Results:PublicBaseUrl"] = "https://status.example.com",
        });
        await api.StartAsync();
        using var client = HttpClients.Create(address);

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, issuer.Sign(Audience)));
        using (var submit = new HttpRequestMessage(HttpMethod.Post, Path) { Content = Answers.Json("""{"type":"chat","prompt":"p"}""") })
        {
            submit.Headers.Authorization = new("Bearer", issuer.Sign(Audience));
            using var submitted = await client.SendAsync(submit, Token);
            Assert.Equal(HttpStatusCode.Accepted, submitted.StatusCode);
        }

        // A development key that could have been left in a deployment; it is not configured.
        var developmentKey = new SigningCredentials(new SymmetricSecurityKey(new byte[32]), SecurityAlgorithms.HmacSha256);
        foreach (var (what, token) in new[]
                 {
                     ("another audience", issuer.Sign("another")),
                     ("another issuer's name", issuer.Sign(Audience, "https://other.test")),
                     ("another's key under the same id", issuer.Sign(Audience, by: issuer.ForeignKey)),
                     ("the public key as a shared one", issuer.Sign(Audience, by: issuer.PublicKeyAsSecret)),
                     ("a shared key in the issuer's name", issuer.Sign(Audience, by: developmentKey)),
                     ("a shared key", TestTokens.Create("user-1")),
                     ("no signature", Unsigned(issuer)),
                 })
        {
            Assert.True(await StatusAsync(client, token) == HttpStatusCode.Unauthorized, what);
        }

        using var dev = await client.PostAsync("/api/v1/dev/token", Answers.Json("""{"userId":"user-1"}"""), Token);
        Assert.Equal(HttpStatusCode.NotFound, dev.StatusCode);

        // A socket renews its token with a message, and the same rules apply.
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer " + issuer.Sign(Audience));
        await socket.ConnectAsync(new Uri($"ws://{address.Authority}/ws/status"), Token);
        Assert.Contains("\"connected\"", await ReceiveAsync(socket), StringComparison.Ordinal);
        await SendAsync(socket, issuer.Sign(Audience));
        Assert.Contains("\"authenticated\"", await ReceiveAsync(socket), StringComparison.Ordinal);
        await SendAsync(socket, issuer.Sign(Audience, by: developmentKey));
        Assert.Contains("\"error\"", await ReceiveAsync(socket), StringComparison.Ordinal);
    }

    private static string Unsigned(TestIssuer issuer)
    {
        var parts = issuer.Sign(Audience).Split('.');
        return $"{Base64UrlEncoder.Encode("""{"alg":"none","typ":"JWT"}""")}.{parts[1]}.";
    }

    // Retries, as clients do, while something is unavailable, such as an issuer that is slow to return its keys on a busy machine.
    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string token)
    {
        while (true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, Path);
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using var response = await client.SendAsync(request, Token);
            if (response.StatusCode != HttpStatusCode.ServiceUnavailable)
            {
                return response.StatusCode;
            }

            await Task.Delay(response.Headers.RetryAfter!.Delta!.Value, Token);
        }
    }

    private static Task SendAsync(ClientWebSocket socket, string token) => socket.SendAsync(
        Encoding.UTF8.GetBytes($$"""{"type":"authenticate","token":"{{token}}"}"""), WebSocketMessageType.Text, endOfMessage: true, Token);

    private static async Task<string> ReceiveAsync(ClientWebSocket socket)
    {
        var buffer = new byte[4096];
        var received = await socket.ReceiveAsync(buffer.AsMemory(), Token);
        return Encoding.UTF8.GetString(buffer, 0, received.Count);
    }
}
