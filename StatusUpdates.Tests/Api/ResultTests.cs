using System.Net;

namespace StatusUpdates.Tests.Api;

public sealed class ResultTests(SharedApi shared) : IClassFixture<SharedApi>
{
    private static readonly byte[] Png = [0x89, 0x50, 0x4E, 0x47, 0, 1, 2, 3];

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_result_is_shown_and_never_run()
    {
        var api = await shared.ApiAsync();
        var id = await api.Database.Results.SaveAsync("gen-1", "image/png", Png, Token);
        using var response = await api.Anonymous.GetAsync($"/results/{id}", Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(Png, await response.Content.ReadAsByteArrayAsync(Token));
        Assert.Equal("image/png", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.StartsWith(
            "sandbox; default-src 'none'", response.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        Assert.Contains("immutable", response.Headers.CacheControl?.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_result_that_a_client_has_is_not_sent_again()
    {
        var api = await shared.ApiAsync();
        var id = await api.Database.Results.SaveAsync("gen-1", "image/png", Png, Token);
        using var first = await api.Anonymous.GetAsync($"/results/{id}", Token);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/results/{id}");
        request.Headers.IfNoneMatch.Add(first.Headers.ETag!);
        using var second = await api.Anonymous.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
    }

    [Fact]
    public async Task A_HEAD_tells_type_and_length()
    {
        var api = await shared.ApiAsync();
        var id = await api.Database.Results.SaveAsync("gen-1", "image/png", Png, Token);
        using var response = await api.Anonymous.SendAsync(new(HttpMethod.Head, $"/results/{id}"), Token);
        Assert.Equal((HttpStatusCode.OK, (long?)Png.Length), (response.StatusCode, response.Content.Headers.ContentLength));
    }

    [Theory]
    [InlineData("00000000000000000000000000000000")]
    [InlineData("nothing")]
    [InlineData("..%2F..%2Fetc%2Fpasswd")]
    public async Task What_is_no_result_is_not_found(string id)
    {
        var api = await shared.ApiAsync();
        using var response = await api.Anonymous.GetAsync($"/results/{id}", Token);
        await response.ProblemAsync(HttpStatusCode.NotFound, "not_found");
    }
}
