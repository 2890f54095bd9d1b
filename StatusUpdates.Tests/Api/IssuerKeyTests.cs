using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.Protocols;
using StatusUpdates.Api.Security;
using StatusUpdates.Api.Security.Bearer;

namespace StatusUpdates.Tests.Api;

/// <summary>Tokens of an issuer that rotates its keys.</summary>
public sealed class IssuerKeyTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_token_signed_with_a_new_key_is_accepted_at_once_even_after_another_rotation_and_a_failed_fetch()
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var api = await StartAsync(issuer);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, issuer.Sign(TestTokens.Audience)));
        var old = issuer.Sign(TestTokens.Audience);

        issuer.Rotate();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, issuer.Sign(TestTokens.Audience)));
        issuer.Rotate();
        issuer.Fail(1);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, issuer.Sign(TestTokens.Audience)));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, old));
    }

    [Fact]
    public async Task The_first_token_is_accepted_even_if_the_first_fetch_failed()
    {
        await using var issuer = await TestIssuer.StartAsync();
        issuer.Fail(1);
        await using var api = await StartAsync(issuer);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, issuer.Sign(TestTokens.Audience)));
    }

    [Fact]
    public async Task A_token_that_cannot_be_validated_while_its_issuer_is_unavailable_gets_503_with_Retry_After()
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var api = await StartAsync(issuer);
        var known = issuer.Sign(TestTokens.Audience);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, known));

        issuer.Rotate();
        issuer.Fail(int.MaxValue);
        using var response = await api.CreateClient(issuer.Sign(TestTokens.Audience)).GetAsync("/api/v1/generations", Token);
        await response.ProblemAsync(HttpStatusCode.ServiceUnavailable, "unavailable");
        Assert.NotNull(response.Headers.RetryAfter);

        // Keys that are already known are still accepted.
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, known));
    }

    [Fact]
    public async Task A_flood_of_invented_key_ids_causes_few_fetches_and_blocks_no_valid_token()
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var api = await StartAsync(issuer);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, issuer.Sign(TestTokens.Audience)));

        var began = TimeProvider.System.GetTimestamp();
        issuer.Rotate();
        var forged = Enumerable.Range(0, 200).Select(_ => StatusAsync(api, issuer.Sign(TestTokens.Audience, by: issuer.UnknownKey))).ToList();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, issuer.Sign(TestTokens.Audience)));
        Assert.All(await Task.WhenAll(forged), status => Assert.Equal(HttpStatusCode.Unauthorized, status));
        var intervals = (int)(TimeProvider.System.GetElapsedTime(began) / IssuerConfiguration.Interval);
        Assert.InRange(issuer.KeyRequests, 2, IssuerConfiguration.Burst + intervals + 1);
    }

    [Fact]
    public async Task Fetches_are_rate_limited_and_callers_that_wait_for_the_next_one_share_it()
    {
        var time = new FakeTimeProvider();
        var issuer = new IssuerConfiguration("https://issuer.test", new Metadata(), time, NullLogger<IssuerConfiguration>.Instance);
        for (var i = 0; i < IssuerConfiguration.Burst; i++)
        {
            Assert.True(await issuer.FetchAsync().WaitAsync(Token));
        }

        for (var i = 0; i < 3; i++)
        {
            var asked = issuer.Now;
            var first = issuer.FetchAsync();
            Assert.Same(first, issuer.FetchAsync());
            Assert.False(issuer.WasRequestedSince(asked + TimeSpan.FromTicks(1)));
            time.Advance(IssuerConfiguration.Interval - TimeSpan.FromTicks(1));
            Assert.False(first.IsCompleted);

            // The wait may start slightly later than the fetch was requested.
            await Eventually.TrueAsync(() =>
            {
                time.Advance(TimeSpan.FromTicks(1));
                return first.IsCompleted;
            });
            Assert.True(await first);
            Assert.True(issuer.WasRequestedSince(asked));
        }
    }

    [Theory]
    [InlineData("JWT")]
    [InlineData("at+jwt")]
    [InlineData("application/AT+JWT")]
    public async Task Access_tokens_are_accepted_by_their_type(string type)
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var api = await StartAsync(issuer);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, issuer.Sign(TestTokens.Audience, type: type)));
    }

    [Theory]
    [InlineData("logout+jwt")]
    [InlineData("dpop+jwt")]
    [InlineData("secevent+jwt")]
    public async Task Tokens_of_another_type_are_refused_with_an_error_that_names_the_accepted_type(string type)
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var api = await StartAsync(issuer);
        using var response = await api.CreateClient(issuer.Sign(TestTokens.Audience, type: type)).GetAsync("/api/v1/generations", Token);
        var problem = await response.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");
        Assert.Contains("at+jwt", (string?)problem["detail"], StringComparison.Ordinal);
        Assert.Contains("at+jwt", response.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);

        // A wrong type is no reason to fetch keys.
        Assert.Equal(0, issuer.KeyRequests);
    }

    private static async Task<HttpStatusCode> StatusAsync(TestApi api, string token)
    {
        using var response = await api.CreateClient(token).GetAsync("/api/v1/generations", Token);
        return response.StatusCode;
    }

    private Task<TestApi> StartAsync(TestIssuer issuer) => TestApi.StartAsync(
        servers,
        new Dictionary<string, string?>
        {
            ["Authentication:Schemes:Bearer:Authority"] = issuer.Url,
            ["Authentication:Schemes:Bearer:RequireHttpsMetadata"] = "false",
            ["Authentication:Schemes:Bearer:SigningKeys:0:Value"] = null,
        });

    private sealed class Metadata : IDocumentRetriever
    {
        public Task<string> GetDocumentAsync(string address, CancellationToken cancel) => Task.FromResult(
            address.EndsWith("/keys", StringComparison.Ordinal)
                ? """{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"""
                : """{"issuer":"https://issuer.test","jwks_uri":"https://issuer.test/keys"}""");
    }
}
