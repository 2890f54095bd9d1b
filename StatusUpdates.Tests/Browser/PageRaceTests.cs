using System.Text.Json.Nodes;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Browser;

/// <summary>The page when responses are late, unexpected or missing: its <c>fetch</c> is replaced to control individual requests.</summary>
[Long]
public sealed class PageRaceTests(TestServers servers, ChromiumBrowser browser)
{
    // The timeout of a test, in milliseconds.
    private const int Limit = 180_000;

    // JavaScript: a condition, and patterns for requests as the interceptor writes them.
    private const string Live = "document.getElementById('connection').dataset.state === 'live'";
    private const string List = @"/^GET \/api\/v1\/generations\?limit=\d+$/";
    private const string NextPage = @"/^GET \/api\/v1\/generations\?.*cursor=/";
    private const string Ticket = @"/^POST \/api\/v1\/tickets$/";
    private const string Submit = @"/^POST \/api\/v1\/generations$/";
    private const string Cancel = @"/^POST \/api\/v1\/generations\/.*\/cancel$/";

    // intercept: the next requests that match a pattern, up to a count, are answered by a function of the real request. held: sends the request
    // at once and answers when it is released; the document shows when there is something to release. problem: an error of the API, without asking it.
    // requests: all requests so far, intercepted or not.
    private const string Interceptor = """
        window.requests = [];
        const rules = [];
        const real = window.fetch;
        window.fetch = (input, init = {}) => {
          const url = new URL(input, location.href);
          const request = `${init.method ?? 'GET'} ${url.pathname}${url.search}`;
          window.requests.push(request);
          const rule = rules.find(({ pattern, left }) => left > 0 && pattern.test(request));
          if (!rule) {
            return real(input, init);
          }

          rule.left--;
          return rule.answer(() => real(input, init));
        };
        window.intercept = (pattern, left, answer) => { rules.push({ pattern, left, answer }); };
        window.held = name => async ask => {
          const response = await ask();
          const text = await response.text();
          await new Promise(resolve => {
            window[`release_${name}`] = resolve;
            document.body.dataset[name] = 'held';
          });
          return new Response(text, { status: response.status, headers: response.headers });
        };
        window.problem = status => async () => new Response(JSON.stringify({ success: false, status, detail: 'not now' }), { status });
        """;

    private static CancellationToken Token => TestTime.Token;

    [Theory(Timeout = Limit)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Generations_that_a_restored_database_no_longer_has_disappear_from_the_page(bool isEmpty)
    {
        var user = User();
        await using var api = await TestApi.StartAsync(servers);
        var kept = await api.CommitAsync(user);
        var lost = await api.CommitAsync(user);
        await using var page = await SignInAsync(api, user);
        await page.WaitUntilAsync($"{Live} && {Card(kept)} && {Card(lost)}", Token);

        await api.App.StopAsync(Token);
        await page.WaitUntilAsync("document.getElementById('connection').dataset.state === 'waiting'", Token);
        await api.Database.ExecuteAsync(
            isEmpty
                ? "TRUNCATE generations, generation_counts, status_events, user_streams CASCADE"
                : $"""
                  DELETE FROM status_events WHERE user_id = '{user}' AND seq = 2;
                  DELETE FROM generations WHERE id = '{lost.GenerationId}';
                  UPDATE generation_counts SET count = 1 WHERE user_id = '{user}';
                  UPDATE user_streams s SET last_seq = 1, last_check = log_check(e.update_id) FROM status_events e WHERE s.user_id = '{user}' AND e.user_id = s.user_id;
                  """,
            Token);
        await using var restarted = await api.StartAnotherAsync(api.Address);
        await page.WaitUntilAsync($"{Live} && !{Card(lost)}", Token);

        Assert.Equal(isEmpty ? 0 : 1, await CountAsync(page));
        await page.WaitUntilAsync($"document.getElementById('empty').hidden === {(isEmpty ? "false" : "true")}", Token);
        var next = await restarted.PublishAsync(user);
        await page.WaitUntilAsync(Card(next), Token);
    }

    [Fact(Timeout = Limit)]
    public async Task Changes_between_the_first_list_and_the_feed_are_read_even_if_the_feed_delivers_later_ones_first()
    {
        var user = User();
        await using var api = await TestApi.StartAsync(servers);
        var first = await api.CommitAsync(user);
        await using var page = await OpenAsync(api, $"intercept({List}, 1, held('list')); intercept({Ticket}, 1, held('ticket'));");
        await SignInAsync(page, user);
        await page.WaitUntilAsync("document.body.dataset.list && document.body.dataset.ticket", Token);
        await api.Database.ClaimAsync(cancellationToken: Token);
        await page.EvaluateAsync("release_ticket()", Token);
        await page.WaitUntilAsync(Live, Token);
        var later = await api.PublishAsync(user);
        await page.WaitUntilAsync(Card(later), Token);
        await page.EvaluateAsync("release_list()", Token);

        await page.WaitUntilAsync($"{Card(first)}?.dataset.status === 'processing'", Token);
    }

    [Theory(Timeout = Limit)]
    [InlineData(429)]
    [InlineData(503)]
    [InlineData(502)]
    public async Task A_list_request_that_fails_is_retried_until_it_succeeds(int status)
    {
        var user = User();
        await using var api = await TestApi.StartAsync(servers);
        var generation = await api.CommitAsync(user);
        await using var page = await OpenAsync(api, $"intercept({List}, 4, problem({status}));");
        await SignInAsync(page, user);
        await page.WaitUntilAsync("document.getElementById('feed-error').textContent === 'not now'", Token);
        await page.WaitUntilAsync(Card(generation), Token);

        Assert.Equal("", (string?)await page.EvaluateAsync("document.getElementById('feed-error').textContent", Token));
    }

    [Theory(Timeout = Limit)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_late_response_to_a_user_who_has_left_changes_nothing_for_the_next_one(bool isRefused)
    {
        var (alice, bob) = (User(), User());
        await using var api = await TestApi.StartAsync(servers);
        var ofAlice = await api.CommitAsync(alice);

        // The page gives up, and signs the user out, after three refusals: the third is held.
        await using var page = await OpenAsync(
            api,
            isRefused
                ? $"intercept({Cancel}, 2, problem(401)); intercept({Cancel}, 1, () => held('cancel')(problem(401)));"
                : $"intercept({Cancel}, 1, held('cancel'));");
        await SignInAsync(page, alice);
        await page.WaitUntilAsync($"{Live} && {Card(ofAlice)}", Token);
        await page.ClickAsync(".card [data-slot=cancel]", Token);
        await page.WaitUntilAsync("document.body.dataset.cancel", Token);

        await page.ClickAsync("#switch-user", Token);
        await SignInAsync(page, bob);
        await page.WaitUntilAsync($"document.getElementById('user-name').textContent === '{bob}' && {Live}", Token);
        await page.EvaluateAsync("release_cancel()", Token);
        var ofBob = await api.PublishAsync(bob);
        await page.WaitUntilAsync(Card(ofBob), Token);

        Assert.Equal(1, await CountAsync(page));
        Assert.False((bool)(await page.EvaluateAsync("document.getElementById('workspace').hidden", Token))!);
    }

    [Fact(Timeout = Limit)]
    public async Task A_generation_that_the_API_does_not_know_is_requested_only_once()
    {
        var user = User();
        await using var api = await TestApi.StartAsync(servers);
        await using var page = await OpenAsync(api, "");
        await SignInAsync(page, user);
        await page.WaitUntilAsync(Live, Token);
        var update = await api.PublishAsync(user);
        await page.WaitUntilAsync(Card(update), Token);
        update = update with { GenerationId = "gen-of-another-service", Seq = null, Status = GenerationStatus.Processing };
        for (var progress = 10; progress <= 50; progress += 10)
        {
            await api.AnnounceAsync(update with { Metadata = new() { Progress = progress } });
            await page.WaitUntilAsync($"{Card(update)}?.textContent.includes('{progress}%')", Token);
        }

        Assert.Equal(1, (int)(await page.EvaluateAsync("requests.filter(request => request.endsWith('/gen-of-another-service')).length", Token))!);
    }

    [Fact(Timeout = Limit)]
    public async Task A_submission_whose_responses_are_lost_creates_one_generation_however_often_it_is_sent()
    {
        var user = User();
        await using var api = await TestApi.StartAsync(servers);

        // All four attempts of the first click arrive, and their responses are lost: to a network's login page, then to a connection that is cut. The
        // second click is the fifth request.
        await using var page = await OpenAsync(
            api,
            $$"""
            intercept({{Submit}}, 2, ask => ask().then(() => new Response('<h1>Welcome to the hotel</h1>')));
            intercept({{Submit}}, 2, ask => ask().then(() => new Response(new ReadableStream({
              start(controller) {
                controller.enqueue(new TextEncoder().encode('{"success":tr'));
                controller.error(new TypeError('cut off'));
              },
            }))));
            """);
        await SignInAsync(page, user);
        await page.WaitUntilAsync(Live, Token);
        await page.TypeAsync("#prompt", "once", Token);
        await page.ClickAsync("#submit", Token);
        await page.WaitUntilAsync("document.getElementById('submit-error').textContent === 'The response could not be read.'", Token);

        // The button says something else while a submission is in progress.
        await page.WaitUntilAsync("document.getElementById('submit').textContent === 'Generate'", Token);
        await page.ClickAsync("#submit", Token);
        await page.WaitUntilAsync("document.getElementById('submit').textContent === 'Generate'", Token);

        Assert.Equal("", (string?)await page.EvaluateAsync("document.getElementById('prompt').value", Token));
        Assert.Equal(1L, await api.Database.ScalarAsync<long>("SELECT count(*) FROM generations", Token));
        Assert.Equal(5, (int)(await page.EvaluateAsync($"requests.filter(request => {Submit}.test(request)).length", Token))!);

        // The same prompt again, after the first has succeeded, is another generation.
        await page.TypeAsync("#prompt", "once", Token);
        await page.ClickAsync("#submit", Token);
        await page.WaitUntilAsync("document.querySelectorAll('.card').length === 2", Token);
        Assert.Equal(2L, await api.Database.ScalarAsync<long>("SELECT count(*) FROM generations", Token));
        Assert.Equal("", string.Join('\n', page.Errors));
    }

    [Fact(Timeout = Limit)]
    public async Task A_page_of_earlier_generations_that_arrives_after_a_reload_leaves_no_gap()
    {
        var user = User();
        await using var api = await TestApi.StartAsync(servers);

        // More than the 20 of one page of the list.
        for (var i = 0; i < 25; i++)
        {
            await api.CommitAsync(user);
        }

        await using var page = await OpenAsync(api, $"intercept({Ticket}, 1, held('ticket')); intercept({NextPage}, 1, held('more'));");
        await SignInAsync(page, user);
        await page.WaitUntilAsync("document.querySelectorAll('.card').length === 20 && document.body.dataset.ticket", Token);
        await page.ClickAsync("#more", Token);
        await page.WaitUntilAsync("document.body.dataset.more", Token);
        var newest = await api.CommitAsync(user);

        // The feed starts after it, so it can only come from the list.
        await page.EvaluateAsync("release_ticket()", Token);
        await page.WaitUntilAsync($"{Live} && {Card(newest)}", Token);
        await page.EvaluateAsync("release_more()", Token);
        await page.WaitUntilAsync("document.getElementById('more').getAttribute('aria-disabled') === 'false'", Token);

        // The late page is not appended: it continues a list that the reload has replaced.
        Assert.Equal(20, await CountAsync(page));

        await page.ClickAsync("#more", Token);
        await page.WaitUntilAsync("document.querySelectorAll('.card').length === 26", Token);
    }

    private static string User() => $"race-{Guid.NewGuid():N}";

    private static string Card(StatusUpdate update) => $"document.querySelector('.card[data-id=\"{update.GenerationId}\"]')";

    private static async Task<int> CountAsync(BrowserPage page) =>
        (int)(JsonNode)(await page.EvaluateAsync("document.querySelectorAll('.card').length", Token))!;

    private async Task<BrowserPage> OpenAsync(TestApi api, string rules)
    {
        var page = await browser.OpenAsync(new UriBuilder(api.Address) { Host = "localhost" }.Uri, Token);
        await page.EvaluateAsync($"(() => {{ {Interceptor} {rules} }})()", Token);
        return page;
    }

    private static async Task SignInAsync(BrowserPage page, string user)
    {
        await page.EvaluateAsync("document.getElementById('user-input').value = ''", Token);
        await page.TypeAsync("#user-input", user, Token);
        await page.PressEnterAsync(control: false, Token);
    }

    private async Task<BrowserPage> SignInAsync(TestApi api, string user)
    {
        var page = await OpenAsync(api, "");
        await SignInAsync(page, user);
        return page;
    }
}
