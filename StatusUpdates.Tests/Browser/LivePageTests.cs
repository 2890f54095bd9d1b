using System.Text.Json;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;
using StatusUpdates.Tests.Transports;
using StatusUpdates.Tests.Worker;

namespace StatusUpdates.Tests.Browser;

/// <summary>The page at <c>/</c> in a real browser, against the whole running system.</summary>
public sealed class LivePageTests(RunningSystem system, TestServers servers, ChromiumBrowser browser)
{
    // The timeout of a test, in milliseconds: a wait that never ends fails here and reports what it waited for.
    private const int Limit = 180_000;

    private const string Live = "document.getElementById('connection').dataset.state === 'live'";

    // Records every status that the first card shows, and every state of the connection, in order.
    private const string RecordStatuses = """
        window.statuses = [];
        window.states = [];
        new MutationObserver(() => window.states.push(document.getElementById('connection').dataset.state))
          .observe(document.getElementById('connection'), { attributes: true });
        new MutationObserver(() => {
          const status = document.querySelector('.card')?.dataset.status;
          if (status && status !== window.statuses.at(-1)) {
            window.statuses.push(status);
          }
        }).observe(document.getElementById('cards'), { subtree: true, childList: true, attributes: true });
        """;

    private static CancellationToken Token => TestTime.Token;

    [Fact(Timeout = Limit)]
    public async Task A_submitted_generation_moves_to_completed_on_the_page_without_a_reload_and_its_result_is_shown()
    {
        var me = await system.SignInAsync($"page-{Guid.NewGuid():N}", Token);
        await using var page = await OpenAsync(me.Http.BaseAddress!, me.UserId);

        await page.TypeAsync("#prompt", "A mug with a mountain", Token);
        await page.ClickAsync("#submit", Token);
        await page.WaitUntilAsync("document.querySelector('.card')?.dataset.status === 'completed'", Token);

        // The script's variables are still there: the document was never loaded again.
        Assert.Equal(["pending", "processing", "completed"], Strings(await page.EvaluateAsync("window.statuses", Token)));
        Assert.Equal("A mug with a mountain", (string?)await page.EvaluateAsync("document.querySelector('.card .prompt').textContent", Token));

        await page.WaitUntilAsync("document.querySelector('.card .media img')", Token);
        var width = await page.EvaluateAsync(
            "(image => image.decode().then(() => image.naturalWidth))(document.querySelector('.card .media img'))", Token);
        Assert.True((int)width! > 0);
        Assert.Equal("", string.Join('\n', page.Errors));
    }

    [Long]
    [Theory(Timeout = Limit)]
    [InlineData("""<img src=x onerror="window.broken = 1">""")]
    [InlineData("""</h3></article><script>window.broken = 1</script>""")]
    [InlineData("""<svg/onload=window.broken=1>&lt;b&gt;""")]
    public async Task A_prompt_that_looks_like_markup_is_shown_as_text(string prompt)
    {
        var me = await system.SignInAsync($"<b>page</b>-{Guid.NewGuid():N}", Token);
        await using var page = await OpenAsync(me.Http.BaseAddress!, me.UserId);
        var elements = await page.EvaluateAsync("document.querySelectorAll('.card img, .card script, .card b').length", Token);
        Assert.Equal(0, (int)elements!);

        // By keyboard: Ctrl+Enter submits.
        await page.ClickAsync("input[value=chat]", Token);
        await page.TypeAsync("#prompt", prompt, Token);
        await page.PressEnterAsync(control: true, Token);
        await page.WaitUntilAsync("document.querySelector('.card')?.dataset.status === 'completed'", Token);
        await page.WaitUntilAsync("document.querySelector('.card .answer')", Token);

        Assert.Equal(prompt, (string?)await page.EvaluateAsync("document.querySelector('.card .prompt').textContent", Token));
        Assert.Equal(0, (int)(await page.EvaluateAsync("document.querySelectorAll('.card img, .card script, .card b').length", Token))!);
        Assert.Equal(me.UserId, (string?)await page.EvaluateAsync("document.getElementById('user-name').textContent", Token));
        Assert.Equal("undefined", (string?)await page.EvaluateAsync("typeof window.broken", Token));
        Assert.Equal("", string.Join('\n', page.Errors));
    }

    [Long]
    [Fact(Timeout = Limit)]
    public async Task A_page_that_loses_its_connection_with_an_update_in_flight_reconnects_and_misses_nothing()
    {
        var me = await system.SignInAsync($"page-{Guid.NewGuid():N}", Token);
        await using var proxy = new TcpProxy(me.Http.BaseAddress!.Port);
        await using var page = await OpenAsync(new Uri($"http://localhost:{proxy.Port}/"), me.UserId);

        // Submitted around the proxy: the first message about it to the page is lost together with the connection.
        proxy.LoseAnswers(1, of: "GET /ws/status");
        var id = await me.SubmitAsync("chat", "from elsewhere", Token);
        await page.WaitUntilAsync($"window.states.includes('waiting') && {Live}", Token);
        await page.WaitUntilAsync($"document.querySelector('.card[data-id=\"{id}\"]')?.dataset.status === 'completed'", Token);

        Assert.Equal(1, proxy.Lost);
        Assert.Equal("from elsewhere", (string?)await page.EvaluateAsync("document.querySelector('.card .prompt').textContent", Token));
        Assert.Equal("completed", Strings(await page.EvaluateAsync("window.statuses", Token))[^1]);
    }

    [Long]
    [Fact(Timeout = Limit)]
    public async Task A_page_whose_API_was_restarted_shows_what_happened_meanwhile()
    {
        var user = $"page-{Guid.NewGuid():N}";
        await using var api = await TestApi.StartAsync(servers);
        var before = await api.CommitAsync(user);
        await using var page = await OpenAsync(new UriBuilder(api.Address) { Host = "localhost" }.Uri, user);
        await page.WaitUntilAsync($"document.querySelector('.card[data-id=\"{before.GenerationId}\"]')?.dataset.status === 'pending'", Token);

        await api.App.StopAsync(Token);
        await page.WaitUntilAsync("document.getElementById('connection').dataset.state === 'waiting'", Token);
        await api.Database.ClaimAsync(cancellationToken: Token);
        var meanwhile = await api.CommitAsync(user);
        await using var restarted = await api.StartAnotherAsync(api.Address);
        await page.WaitUntilAsync(Live, Token);
        await page.WaitUntilAsync($"document.querySelector('.card[data-id=\"{before.GenerationId}\"]').dataset.status === 'processing'", Token);
        await page.WaitUntilAsync($"document.querySelector('.card[data-id=\"{meanwhile.GenerationId}\"] .prompt')?.textContent === 'a prompt'", Token);
    }

    [Long]
    [Fact(Timeout = Limit)]
    public async Task A_running_generation_is_canceled_by_its_button()
    {
        await using var api = await TestApi.StartAsync(servers);

        // Only the cancel message can end it in time: the worker's next heartbeat is minutes away.
        await using var worker = await TestWorker.StartAsync(api.Database, api.Redis, ScriptedProvider.WaitingForStop());
        await using var page = await OpenAsync(new UriBuilder(api.Address) { Host = "localhost" }.Uri, $"page-{Guid.NewGuid():N}");
        await page.ClickAsync("input[value=sora]", Token);
        await page.TypeAsync("#prompt", "To be canceled", Token);
        await page.ClickAsync("#submit", Token);
        await page.WaitUntilAsync("document.querySelector('.card')?.dataset.status === 'processing'", Token);
        await page.ClickAsync(".card [data-slot=cancel]", Token);
        await page.WaitUntilAsync("document.querySelector('.card').dataset.status === 'canceled'", Token);

        Assert.Equal(["pending", "processing", "canceled"], Strings(await page.EvaluateAsync("window.statuses", Token)));
        Assert.True((bool)(await page.EvaluateAsync("document.querySelector('.card [data-slot=cancel]').hidden", Token))!);
        Assert.Equal("", string.Join('\n', page.Errors));
    }

    private static List<string> Strings(System.Text.Json.Nodes.JsonNode? node) => node.Deserialize<List<string>>()!;

    // Signs in by name, as a user does, and waits for the connection.
    private async Task<BrowserPage> OpenAsync(Uri address, string userId)
    {
        var page = await browser.OpenAsync(address, Token);
        await page.TypeAsync("#user-input", userId, Token);
        await page.PressEnterAsync(control: false, Token);
        await page.WaitUntilAsync(Live, Token);
        await page.EvaluateAsync(RecordStatuses, Token);
        return page;
    }
}
