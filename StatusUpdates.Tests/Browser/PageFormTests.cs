using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Browser;

/// <summary>The form of the page is that of the types that the API has registered.</summary>
[Long]
public sealed class PageFormTests(TestServers servers, ChromiumBrowser browser)
{
    // The timeout of a test, in milliseconds.
    private const int Limit = 180_000;

    private static CancellationToken Token => TestTime.Token;

    [Fact(Timeout = Limit)]
    public async Task A_configured_type_is_offered_with_its_options_and_what_is_chosen_is_submitted()
    {
        await using var api = await TestApi.StartAsync(servers, PosterType.Configuration);
        await using var page = await browser.OpenAsync(new UriBuilder(api.Address) { Host = "localhost" }.Uri, Token);
        await page.TypeAsync("#user-input", "alice", Token);
        await page.PressEnterAsync(control: false, Token);
        await page.WaitUntilAsync("document.getElementById('connection').dataset.state === 'live'", Token);
        Assert.Equal(
            "Product card,Video,Chat,Poster",
            (string?)await page.EvaluateAsync("Array.from(document.querySelectorAll('.type'), type => type.textContent.trim()).join()", Token));
        Assert.Equal("", (string?)await page.EvaluateAsync("document.getElementById('options').textContent", Token));

        await page.ClickAsync("input[value=chat]", Token);
        Assert.Equal("AnswerImage", (string?)await page.EvaluateAsync("document.getElementById('task').textContent", Token));

        await page.ClickAsync("input[value=poster]", Token);
        Assert.True((bool)(await page.EvaluateAsync("document.getElementById('task-field').hidden", Token))!);
        Assert.Equal(
            "copies,glossy,Paper size",
            (string?)await page.EvaluateAsync("Array.from(document.querySelectorAll('#options label'), label => label.textContent).join()", Token));
        await page.EvaluateAsync("document.getElementById('option-size').value = 'a4'", Token);
        await page.EvaluateAsync("document.getElementById('option-glossy').value = 'false'", Token);
        await page.TypeAsync("#option-copies", "11", Token);
        await page.TypeAsync("#prompt", "Come in", Token);
        await page.ClickAsync("#submit", Token);
        await page.WaitUntilAsync("document.getElementById('submit-error').textContent === 'options.copies: Must be an integer from 1 to 10.'", Token);

        await page.EvaluateAsync("document.getElementById('option-copies').value = '3'", Token);
        await page.ClickAsync("#submit", Token);
        await page.WaitUntilAsync("document.querySelector('.card .kind')?.textContent.trim() === 'Poster'", Token);

        Assert.Equal(
            """poster print_poster {"size": "a4", "copies": 3, "glossy": false}""",
            await api.Database.ScalarAsync<string>("SELECT concat_ws(' ', type, task, options) FROM generations", Token));

        // The browser reports the refused submission.
        Assert.Contains("400 (Bad Request)", Assert.Single(page.Errors), StringComparison.Ordinal);
    }
}
