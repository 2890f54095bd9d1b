using System.Globalization;
using System.Net;
using StatusUpdates.Api.RateLimiting;

namespace StatusUpdates.Tests.Api;

public sealed class RateLimitTests(TestServers servers)
{
    private const string Path = "/api/v1/generations";

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_user_over_the_limit_is_refused_with_Retry_After_and_others_are_served()
    {
        await using var api = await StartAsync(userBurst: 5, addressBurst: 1000);
        HttpResponseMessage[] responses;

        // The limiter only uses the machine's clock and adds one permit per second: a run that takes longer proves nothing.
        for (var n = 0; ; n++)
        {
            Assert.True(n < 50, "This machine cannot do six requests within a second.");
            var client = api.As($"u{n}");
            var started = TimeProvider.System.GetTimestamp();
            responses = await SendInSequenceAsync(() => client.GetAsync(Path, Token), 6);
            if (TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(0.9))
            {
                break;
            }
        }

        for (var i = 4; i >= 0; i--)
        {
            var served = responses[4 - i];
            await served.DataAsync();
            Assert.Equal("\"user\";q=5;w=5", Last(served, "RateLimit-Policy"));
            Assert.StartsWith(string.Create(CultureInfo.InvariantCulture, $"\"user\";r={i};t="), Last(served, "RateLimit"), StringComparison.Ordinal);
        }

        var refused = responses[5];
        await refused.ProblemAsync(HttpStatusCode.TooManyRequests, "rate_limited");
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        Assert.Equal("\"user\";r=0;t=1", Last(refused, "RateLimit"));

        using var other = await api.As("v").GetAsync(Path, Token);
        await other.DataAsync();
    }

    [Fact]
    public async Task A_user_is_served_again_after_Retry_After()
    {
        await using var api = await StartAsync(userBurst: 1, addressBurst: 1000);
        var client = api.As("u");
        using var first = await client.GetAsync(Path, Token);
        await first.DataAsync();

        // The limiter only uses the machine's clock: wait as Retry-After says and try again, which must soon succeed.
        for (var waited = TimeSpan.Zero; ;)
        {
            using var response = await client.GetAsync(Path, Token);
            if (response.IsSuccessStatusCode)
            {
                break;
            }

            var retryAfter = response.Headers.RetryAfter!.Delta!.Value;
            Assert.True(waited < TimeSpan.FromSeconds(10), "never served again");
            await Task.Delay(retryAfter, Token);
            waited += retryAfter;
        }
    }

    [Fact]
    public async Task Guessing_tokens_is_limited_by_address_before_they_are_validated()
    {
        await using var api = await StartAsync(userBurst: 1000, addressBurst: 3);
        var client = api.CreateClient("garbage");
        for (var i = 0; i < 3; i++)
        {
            using var response = await client.GetAsync(Path, Token);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        }

        // One permit is added per second. Requests sent all at once are too fast for each to get one.
        var refused = await OneRefusedAsync(() => client.GetAsync(Path, Token));
        await refused.ProblemAsync(HttpStatusCode.TooManyRequests, "rate_limited");
        Assert.Equal("\"address\";q=3;w=3", Last(refused, "RateLimit-Policy"));
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.False(refused.Headers.Contains("WWW-Authenticate"));

        await OneRefusedAsync(() => client.GetAsync("/api/unknown", Token));
    }

    [Fact]
    public async Task Health_endpoints_are_not_rate_limited()
    {
        await using var api = await StartAsync(userBurst: 1, addressBurst: 1);
        for (var i = 0; i < 10; i++)
        {
            using var alive = await api.Anonymous.GetAsync("/alive", Token);
            Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        }

        using var health = await api.Anonymous.GetAsync("/health", Token);
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
    }

    [Fact]
    public async Task Loopback_has_no_address_limit_in_Development()
    {
        await using var api = await StartAsync(userBurst: 1000, addressBurst: 1, environment: "Development");
        for (var i = 0; i < 5; i++)
        {
            using var response = await api.Anonymous.GetAsync(Path, Token);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        }
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1", true)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    [InlineData("2001:db8::1", "2001:db8::ffff:2", true)]
    [InlineData("2001:db8:0:1::1", "2001:db8:0:2::1", false)]
    public void An_IPv6_client_is_identified_by_its_network(string one, string other, bool same) =>
        Assert.Equal(same, ClientAddress.KeyOf(IPAddress.Parse(one)) == ClientAddress.KeyOf(IPAddress.Parse(other)));

    private static async Task<HttpResponseMessage[]> SendInSequenceAsync(Func<Task<HttpResponseMessage>> send, int count)
    {
        var responses = new HttpResponseMessage[count];
        for (var i = 0; i < count; i++)
        {
            responses[i] = await send();
        }

        return responses;
    }

    private static async Task<HttpResponseMessage> OneRefusedAsync(Func<Task<HttpResponseMessage>> send)
    {
        var responses = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => send()));
        return responses.First(response => response.StatusCode == HttpStatusCode.TooManyRequests);
    }

    private static string Last(HttpResponseMessage response, string header) => response.Headers.GetValues(header).Last();

    private Task<TestApi> StartAsync(int userBurst, int addressBurst, string environment = "Production") => TestApi.StartAsync(
        servers,
        new Dictionary<string, string?>
        {
            ["RateLimits:User:PermitsPerSecond"] = "1",
            ["RateLimits:User:Burst"] = userBurst.ToString(CultureInfo.InvariantCulture),
            ["RateLimits:Address:PermitsPerSecond"] = "1",
            ["RateLimits:Address:Burst"] = addressBurst.ToString(CultureInfo.InvariantCulture),
        },
        environment);
}
