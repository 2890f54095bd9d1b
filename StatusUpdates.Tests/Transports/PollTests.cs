using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

/// <summary><c>/api/v1/status/poll</c>.</summary>
public sealed class PollTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private const string Path = "/api/v1/status/poll";

    private readonly string _alice = SharedApi.NewUser("alice");

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Without_since_a_poll_returns_the_head_at_once()
    {
        var api = await shared.ApiAsync();
        await AssertNothingAsync(api, 0, await PollAsync(api, "?timeout=60"));
        await api.CommitAsync(_alice);
        await AssertNothingAsync(api, 1, await PollAsync(api, ""));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(60)]
    public async Task Updates_after_since_are_returned_at_once_although_they_were_not_announced(int timeout)
    {
        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["Gateway:Feeds:SweepInterval"] = "00:00:02" });
        await using var follower = await SocketClient.ConnectAsync(api, _alice);
        for (var i = 0; i < 3; i++)
        {
            await api.CommitAsync(_alice);
        }

        var page = await PollAsync(api, $"?since=1&timeout={timeout}");
        Assert.Equal([2L, 3], Seqs(page));
        Assert.Equal((3, false), ((long)page["seq"]!, (bool)page["more"]!));
        Assert.Null(page["resync"]);
        Assert.DoesNotContain("traceparent", page.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_poll_waits_for_the_next_update_and_returns_nothing_after_its_timeout()
    {
        await using var api = await TestApi.StartAsync(servers);
        var waiting = PollAsync(api, "?since=0&timeout=60");
        await Eventually.TrueAsync(() => Sockets.Registry(api).Connections.Any());
        Assert.False(waiting.IsCompleted);
        await api.PublishAsync("bob");
        await api.PublishAsync(_alice);
        Assert.Equal(1L, Assert.Single(Seqs(await waiting)));

        await AssertNothingAsync(api, 1, await PollAsync(api, "?since=1&timeout=1"));
        await AssertNothingAsync(api, 1, await PollAsync(api, "?since=1&timeout=0"));
        Assert.Equal(0, Sockets.Registry(api).Count);
    }

    [Fact]
    public async Task A_long_log_comes_in_pages_of_at_most_100_without_gap_or_repeat()
    {
        var api = await shared.ApiAsync();
        for (var i = 0; i < 305; i++)
        {
            await api.CommitAsync(_alice);
        }

        var seqs = new List<long>();
        JsonNode page;
        do
        {
            page = await PollAsync(api, $"?since={seqs.LastOrDefault()}&timeout=0");
            var items = Seqs(page);
            Assert.InRange(items.Length, 1, 100);
            Assert.Equal(items[^1], (long)page["seq"]!);
            seqs.AddRange(items);
        }
        while ((bool)page["more"]!);

        Assert.Equal(Enumerable.Range(1, 305).Select(i => (long)i), seqs);
    }

    [Theory]
    [InlineData(7)]
    [InlineData(0)]
    public async Task A_position_outside_the_log_is_answered_with_a_resync_to_the_head(long since)
    {
        var api = await shared.ApiAsync();
        await api.CommitAsync(_alice);
        await api.CommitAsync(_alice);
        await api.TrimAsync(_alice, oldest: 2);
        await AssertNothingAsync(api, 2, await PollAsync(api, $"?since={since}&timeout=60"), resync: true);
    }

    [Fact]
    public async Task An_update_without_a_position_in_the_log_is_not_returned()
    {
        await using var api = await TestApi.StartAsync(servers);
        var waiting = PollAsync(api, "?since=0&timeout=60");
        await Eventually.TrueAsync(() => Sockets.Registry(api).Connections.Any());
        await api.AnnounceAsync(new StatusUpdate
        {
            GenerationId = "gen-foreign",
            UserId = _alice,
            Type = "chat",
            Status = GenerationStatus.Processing,
            Timestamp = 1,
        });
        await api.PublishAsync(_alice);
        Assert.Equal(1L, Assert.Single(Seqs(await waiting)));
    }

    [Fact]
    public async Task A_drain_answers_waiting_polls_and_a_client_that_disconnects_is_released()
    {
        await using var api = await TestApi.StartAsync(servers);
        using (var impatient = CancellationTokenSource.CreateLinkedTokenSource(Token))
        {
            var gone = api.As(_alice).GetAsync(Path + "?since=0&timeout=60", impatient.Token);
            await Eventually.TrueAsync(() => Sockets.Registry(api).Connections.Any());
            await impatient.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
            await Eventually.TrueAsync(() => Sockets.Registry(api).Count == 0);
        }

        var waiting = PollAsync(api, "?since=0&timeout=60");
        await Eventually.TrueAsync(() => Sockets.Registry(api).Connections.Any());
        await api.App.StopAsync(Token);
        Assert.Equal("""{"items":[],"seq":0,"cursor":"0","more":false}""", (await waiting).ToJsonString());
    }

    [Fact]
    public async Task A_poll_does_not_outlive_its_token()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));
        var token = TestTokens.Create(_alice, p => p["exp"] = time.GetUtcNow().AddSeconds(5).ToUnixTimeSeconds());
        var waiting = api.CreateClient(token).GetAsync(Path + "?since=0&timeout=60", Token);
        await Eventually.TrueAsync(() => Sockets.Registry(api).Connections.Any());
        Sockets.Advance(api, time, TimeSpan.FromSeconds(36));
        using var response = await waiting;
        Assert.Empty(Seqs(await response.DataAsync()));
    }

    [Theory]
    [InlineData("since=-1", "since")]
    [InlineData("since=9007199254740992", "since")]
    [InlineData("since=", "since")]
    [InlineData("since=0&timeout=61", "timeout")]
    [InlineData("since=0&timeout=-1", "timeout")]
    [InlineData("since=0&timeout=1.5", "timeout")]
    public async Task A_bad_parameter_is_named(string query, string name)
    {
        var api = await shared.ApiAsync();
        using var response = await api.As(_alice).GetAsync($"{Path}?{query}", Token);
        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal([name], problem["errors"]!.AsObject().Select(error => error.Key));
    }

    private async Task<JsonNode> PollAsync(TestApi api, string query)
    {
        using var response = await api.As(_alice).GetAsync(Path + query, Token);
        return await response.DataAsync();
    }

    /// <summary>Asserts that the page has no items and the head, which is at that seq.</summary>
    private async Task AssertNothingAsync(TestApi api, long seq, JsonNode page, bool resync = false)
    {
        var head = (await api.Database.Log.ReadBoundsAsync(_alice, Token)).Head;
        Assert.Equal(seq, head.Seq);
        var expected = $$"""{"items":[],"seq":{{seq}},"cursor":"{{head}}","more":false}""";
        Assert.Equal(resync ? expected[..^1] + ",\"resync\":true}" : expected, page.ToJsonString());
    }

    private static long[] Seqs(JsonNode page) => [.. page["items"]!.AsArray().Select(item => (long)item!["seq"]!)];
}
