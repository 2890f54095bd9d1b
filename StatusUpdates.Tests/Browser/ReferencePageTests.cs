using System.Text.Json;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Browser;

/// <summary>The page at <c>/scalar</c> in a real browser, under its security policy.</summary>
public sealed class ReferencePageTests(TestServers servers, ChromiumBrowser browser)
{
    // The timeout of a test, in milliseconds.
    private const int Limit = 180_000;

    private static CancellationToken Token => TestTime.Token;

    [Fact(Timeout = Limit)]
    public async Task The_reference_shows_the_API_and_sends_requests_nowhere_else()
    {
        await using var api = await TestApi.StartAsync(servers);
        var address = new UriBuilder(api.Address) { Host = "localhost", Path = "/scalar/" }.Uri;
        await using var page = await browser.OpenAsync(address, Token);
        await page.WaitUntilAsync("document.body.textContent.includes('Creates an access token for any user')", Token);

        var origins = await page.EvaluateAsync("[...new Set(performance.getEntriesByType('resource').map(entry => new URL(entry.name).origin))]", Token);
        Assert.Equal([address.GetLeftPart(UriPartial.Authority)], origins.Deserialize<string[]>()!);
        Assert.Equal("", string.Join('\n', page.Errors));
    }
}
