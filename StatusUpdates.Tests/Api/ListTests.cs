using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Api;

/// <summary>The list of a user's generations, a single generation, and that other users see neither.</summary>
public sealed class ListTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private const string Path = "/api/v1/generations";

    private readonly string _user = SharedApi.NewUser();
    private readonly string _other = SharedApi.NewUser();

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_new_user_has_an_empty_list()
    {
        var api = await shared.ApiAsync();
        using var response = await api.As(_user).GetAsync(Path, Token);
        Assert.Equal(
            """{"items":[],"total":0,"limit":50,"offset":0}""", (await response.DataAsync()).ToJsonString());
        Assert.False(response.Headers.Contains("Link"));
    }

    [Fact]
    public async Task A_list_holds_only_the_users_own_generations_newest_first()
    {
        var api = await shared.ApiAsync();
        var mine = await SubmitAsync(api, _user, 3);
        await SubmitAsync(api, _other, 2);
        var page = await GetAsync(api, _user, "");
        Assert.Equal(Enumerable.Reverse(mine), Ids(page));
        Assert.Equal(3, (long)page["total"]!);
    }

    [Fact]
    public async Task A_list_filters_by_status_and_type()
    {
        var api = await shared.ApiAsync();
        var card = (await api.Database.SubmitAsync(_user, cancellationToken: Token)).Generation.Id;
        var sora = (await api.Database.SubmitAsync(_user, "sora", cancellationToken: Token)).Generation.Id;
        var chat = (await api.Database.SubmitAsync(_user, "chat", cancellationToken: Token)).Generation.Id;
        await api.Database.CreateCommands().CancelAsync(_user, sora, cancellationToken: Token);

        Assert.Equal([chat, card], Ids(await GetAsync(api, _user, "?status=pending")));
        Assert.Equal([sora], Ids(await GetAsync(api, _user, "?status=canceled")));
        Assert.Equal([card], Ids(await GetAsync(api, _user, "?type=product_card")));
        Assert.Equal([sora], Ids(await GetAsync(api, _user, "?type=sora&status=canceled")));
        Assert.Empty(Ids(await GetAsync(api, _user, "?type=sora&status=pending")));
        Assert.Equal([chat], Ids(await GetAsync(api, _user, "?type=chat&unknown=ignored")));
    }

    [Fact]
    public async Task A_list_filters_by_date_inclusively_at_the_precision_that_the_API_shows()
    {
        var api = await shared.ApiAsync();
        var ids = await SubmitAsync(api, _user, 3);
        await CreatedAtAsync(api, ids[0], "2024-01-01 23:59:59.999999+00");
        await CreatedAtAsync(api, ids[1], "2024-01-02 00:00:00+00");
        await CreatedAtAsync(api, ids[2], "2024-01-03 12:30:45.123456+00");

        Assert.Equal([ids[2], ids[1]], Ids(await GetAsync(api, _user, "?startDate=2024-01-02")));
        Assert.Equal([ids[1]], Ids(await GetAsync(api, _user, "?startDate=2024-01-02&endDate=2024-01-02")));
        Assert.Equal([ids[0]], Ids(await GetAsync(api, _user, "?endDate=2024-01-01")));
        Assert.Equal([ids[0]], Ids(await GetAsync(api, _user, "?endDate=2024-01-01T23:59:59.999Z")));
        Assert.Equal([ids[1], ids[0]], Ids(await GetAsync(api, _user, "?endDate=2024-01-02T00:00:00")));
        Assert.Equal([ids[1], ids[0]], Ids(await GetAsync(api, _user, "?endDate=2024-01-02T02:00:00%2B02:00")));
        Assert.Equal([ids[2]], Ids(await GetAsync(api, _user, "?startDate=2024-01-03T12:30:45.123Z&endDate=2024-01-03T12:30:45.123Z")));
        Assert.Empty(Ids(await GetAsync(api, _user, "?startDate=2024-01-03&endDate=2024-01-01")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("&status=pending&type=product_card&startDate=2020-01-01")]
    public async Task Paging_by_cursor_visits_every_generation_once(string filter)
    {
        var api = await shared.ApiAsync();
        var ids = await SubmitAsync(api, _user, 7);

        // All have the same creation time, so the id decides the order.
        await api.Database.ExecuteAsync($"UPDATE generations SET created_at = '2024-01-01 00:00:00.000001+00' WHERE user_id = '{_user}'", Token);

        var seen = new List<string>();
        var client = api.As(_user);
        for (var next = $"{Path}?limit=3{filter}"; next is not null;)
        {
            using var response = await client.GetAsync(next, Token);
            var page = await response.DataAsync();
            seen.AddRange(Ids(page));
            Assert.Equal(7, (long)page["total"]!);
            next = response.Headers.TryGetValues("Link", out var links)
                ? links.Single().Split('<', '>')[1]
                : null;
            Assert.Equal(next is null, page["nextCursor"] is null);
            if (next is not null)
            {
                Assert.EndsWith("; rel=\"next\"", links!.Single(), StringComparison.Ordinal);
                Assert.Contains((string)page["nextCursor"]!, next, StringComparison.Ordinal);
            }
        }

        Assert.Equal(ids.OrderDescending(StringComparer.Ordinal), seen);
    }

    [Fact]
    public async Task Newer_generations_do_not_shift_a_cursor()
    {
        var api = await shared.ApiAsync();
        var ids = await SubmitAsync(api, _user, 3);
        var page = await GetAsync(api, _user, "?limit=2");
        await SubmitAsync(api, _user, 2);
        Assert.Equal([ids[0]], Ids(await GetAsync(api, _user, $"?limit=2&cursor={page["nextCursor"]}")));
    }

    [Fact]
    public async Task Paging_by_offset_returns_the_requested_items()
    {
        var api = await shared.ApiAsync();
        var ids = await SubmitAsync(api, _user, 5);
        var page = await GetAsync(api, _user, "?limit=2&offset=2");
        Assert.Equal([ids[2], ids[1]], Ids(page));
        Assert.Equal((5L, 2, 2), ((long)page["total"]!, (int)page["limit"]!, (int)page["offset"]!));
        Assert.Empty(Ids(await GetAsync(api, _user, "?offset=10000")));
    }

    [Fact]
    public async Task A_generation_is_returned_with_everything_known_about_it()
    {
        // A claim may take any user's generation, so this test needs its own database.
        await using var api = await TestApi.StartAsync(servers);
        await api.Database.SubmitAsync(_user, cancellationToken: Token);
        var job = Assert.Single((await api.Database.ClaimAsync(cancellationToken: Token)).Claimed);
        await api.Database.Log.AppendAsync(
            new StatusChange
            {
                GenerationId = job.Id,
                Status = GenerationStatus.Completed,
                Attempt = job.Attempt,
                ResultUrls = ["https://example.org/1.png"],
                TokensUsed = 10,
            },
            Token);

        using var response = await api.As(_user).GetAsync($"{Path}/{job.Id}", Token);
        var generation = (await response.DataAsync()).AsObject();
        Assert.Equal(
            [
                "id", "userId", "type", "task", "status", "seq", "cursor", "prompt", "progress", "resultUrls", "tokensUsed", "createdAt", "updatedAt", "startedAt",
                "completedAt",
            ],
            generation.Select(member => member.Key));
        Assert.Equal("""["https://example.org/1.png"]""", generation["resultUrls"]!.ToJsonString());

        // Its third update: submitted, claimed, completed.
        Assert.Equal((10L, 3L, "completed"), ((long)generation["tokensUsed"]!, (long)generation["seq"]!, (string?)generation["status"]));
    }

    [Theory]
    [InlineData("gen-nobodys")]
    [InlineData("%20")]
    [InlineData("%E2%98%83")]
    [InlineData("a%2Fb")]
    public async Task An_unknown_generation_id_is_not_found(string id)
    {
        var api = await shared.ApiAsync();
        using var response = await api.As(_user).GetAsync($"{Path}/{id}", Token);
        await response.ProblemAsync(HttpStatusCode.NotFound, "not_found");
    }

    [Theory]
    [InlineData("GET", "")]
    [InlineData("GET", "/history")]
    [InlineData("POST", "/cancel")]
    public async Task Another_users_generation_gets_exactly_the_response_of_a_missing_one(string method, string action)
    {
        var api = await shared.ApiAsync();
        var id = (await api.Database.SubmitAsync(_user, cancellationToken: Token)).Generation.Id;
        var client = api.As(_other);
        using var anothers = await client.SendAsync(new(new(method), $"{Path}/{id}{action}"), Token);
        using var missing = await client.SendAsync(new(new(method), $"{Path}/gen-missing{action}"), Token);
        Assert.Equal(await BodyAsync(missing), await BodyAsync(anothers));
        Assert.Equal("pending", await api.Database.ScalarAsync<string>($"SELECT status FROM generations WHERE id = '{id}'", Token));
    }

    private static async Task<string> BodyAsync(HttpResponseMessage response)
    {
        var problem = await response.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        problem.Remove("traceId");
        return problem.ToJsonString();
    }

    /// <summary>Submits generations.</summary>
    /// <returns>Their ids, oldest first: the reverse of the list's order.</returns>
    private static async Task<List<string>> SubmitAsync(TestApi api, string userId, int count)
    {
        var ids = new List<string>();
        for (var i = 0; i < count; i++)
        {
            ids.Add((await api.Database.SubmitAsync(userId, cancellationToken: Token)).Generation.Id);
        }

        return ids;
    }

    /// <summary>Sets the time at which a generation was created.</summary>
    private static Task CreatedAtAsync(TestApi api, string id, string time) =>
        api.Database.ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"UPDATE generations SET created_at = '{time}' WHERE id = '{id}'"), Token);

    private static async Task<JsonNode> GetAsync(TestApi api, string userId, string query)
    {
        using var response = await api.As(userId).GetAsync(Path + query, Token);
        return await response.DataAsync();
    }

    private static IEnumerable<string> Ids(JsonNode page) => page["items"]!.AsArray().Select(item => (string)item!["id"]!);
}
