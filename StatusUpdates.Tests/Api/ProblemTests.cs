using System.Net;
using Microsoft.AspNetCore.Builder;

namespace StatusUpdates.Tests.Api;

public sealed class ProblemTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData("Development")]
    [InlineData("Production")]
    public async Task An_unexpected_failure_reveals_only_its_trace_id(string environment)
    {
        await using var api = await TestApi.StartAsync(
            servers,
            environment: environment,
            map: app => app.MapGet("/fails", string () => throw new InvalidOperationException("an internal secret")));
        using var response = await api.Anonymous.GetAsync("/fails", Token);
        var problem = await response.ProblemAsync(HttpStatusCode.InternalServerError, "internal_error");
        Assert.DoesNotContain("secret", problem.ToJsonString(), StringComparison.Ordinal);
        Assert.Matches("^[0-9a-f]{32}$", (string?)problem["traceId"]);
    }

    [Theory]
    [InlineData("GET", "/api")]
    [InlineData("GET", "/api/v1/nothing")]
    [InlineData("POST", "/api/v2/generations")]
    [InlineData("GET", "/ws/nothing")]
    [InlineData("GET", "/nothing.html")]
    public async Task An_unknown_route_is_not_found(string method, string path)
    {
        var api = await shared.ApiAsync();
        using var response = await api.As("u").SendAsync(new(new(method), path), Token);
        await response.ProblemAsync(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task A_method_that_a_route_does_not_support_is_refused_with_those_that_it_supports()
    {
        var api = await shared.ApiAsync();
        using var response = await api.As("u").DeleteAsync("/api/v1/generations", Token);
        await response.ProblemAsync(HttpStatusCode.MethodNotAllowed, "method_not_allowed");
        Assert.Equal(["GET", "POST"], response.Content.Headers.Allow.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Responses_of_the_API_are_not_cached_and_their_types_not_sniffed()
    {
        var api = await shared.ApiAsync();
        using var response = await api.As("u").GetAsync("/api/v1/generations", Token);
        Assert.True(response.Headers.CacheControl?.NoStore);
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.False(response.Headers.Contains("Server"));
    }
}
