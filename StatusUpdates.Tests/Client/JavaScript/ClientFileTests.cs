using System.Net;
using System.Net.Http.Headers;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Client.JavaScript;

/// <summary>How the API serves <c>/client/status-updates.js</c>.</summary>
public sealed class ClientFileTests(SharedApi shared) : IClassFixture<SharedApi>
{
    private static readonly Uri Address = new("/client/status-updates.js", UriKind.Relative);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task The_module_is_served_as_a_script_and_revalidated_by_its_ETag()
    {
        var api = await shared.ApiAsync();
        using var answer = await api.Anonymous.GetAsync(Address, Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("text/javascript", answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("no-cache", answer.Headers.CacheControl!.ToString());
        Assert.Equal(
            await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "EndToEnd", "foreign-clients", "status-updates.mjs"), Token),
            await answer.Content.ReadAsStringAsync(Token));

        using var again = new HttpRequestMessage(HttpMethod.Get, Address);
        again.Headers.IfNoneMatch.Add(answer.Headers.ETag!);
        using var unchanged = await api.Anonymous.SendAsync(again, Token);
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);

        using var changed = new HttpRequestMessage(HttpMethod.Get, Address);
        changed.Headers.IfNoneMatch.Add(new EntityTagHeaderValue("\"another version\""));
        using var whole = await api.Anonymous.SendAsync(changed, Token);
        Assert.Equal(HttpStatusCode.OK, whole.StatusCode);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/index.html")]
    [InlineData("/client/status-updates.js")]
    public async Task No_other_page_may_frame_the_served_files(string path)
    {
        var api = await shared.ApiAsync();
        using var answer = await api.Anonymous.GetAsync(new Uri(path, UriKind.Relative), Token);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("frame-ancestors 'none'", answer.Headers.GetValues("Content-Security-Policy").Single());
    }

    [Fact]
    public async Task The_module_is_no_more_open_to_other_origins_than_the_API()
    {
        var api = await shared.ApiAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, Address);
        request.Headers.Add("Origin", "https://elsewhere.test");
        using var answer = await api.Anonymous.SendAsync(request, Token);

        Assert.DoesNotContain(answer.Headers, header => header.Key.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase));
    }
}
