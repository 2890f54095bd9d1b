using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Api;

/// <summary>Valid submissions, what they store and announce, and what a key makes of a repeated one.</summary>
public sealed partial class SubmitTests(SharedApi shared) : IClassFixture<SharedApi>
{
    private const string Path = "/api/v1/generations";
    private const string Card = """{"type":"product_card","prompt":"Product card: clean"}""";

    private readonly string _user = SharedApi.NewUser();

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_submitted_generation_is_pending_and_found_at_its_Location()
    {
        var api = await shared.ApiAsync();
        var client = api.As(_user);
        using var response = await client.PostAsync(Path, Answers.Json(Card), Token);

        var generation = await response.DataAsync(HttpStatusCode.Accepted);
        Assert.Equal(_user, (string?)generation["userId"]);
        Assert.Equal("product_card", (string?)generation["type"]);
        Assert.Equal("pending", (string?)generation["status"]);
        Assert.Equal("Product card: clean", (string?)generation["prompt"]);
        Assert.Equal(1, (long)generation["seq"]!);
        Assert.Matches(Timestamp(), (string?)generation["createdAt"]);
        Assert.Matches(Timestamp(), (string?)generation["updatedAt"]);
        Assert.StartsWith("gen-", (string?)generation["id"], StringComparison.Ordinal);
        Assert.DoesNotContain("startedAt", generation.AsObject().Select(member => member.Key));
        Assert.DoesNotContain("resultUrls", generation.AsObject().Select(member => member.Key));

        Assert.Equal($"{Path}/{generation["id"]}", response.Headers.Location?.OriginalString);
        using var found = await client.GetAsync(response.Headers.Location, Token);
        Assert.Equal(generation.ToJsonString(), (await found.DataAsync()).ToJsonString());
    }

    [Fact]
    public async Task A_submission_is_published_with_its_seq_on_the_users_channel()
    {
        var api = await shared.ApiAsync();
        var received = new TaskCompletionSource<StatusUpdate>(TaskCreationOptions.RunContinuationsAsynchronously);
        var subscriber = new StatusSubscriber(api.Redis.Connection, api.Redis.Options);
        await using var subscription = await subscriber.SubscribeUserAsync(
            _user,
            (update, _) =>
            {
                received.TrySetResult(update);
                return ValueTask.CompletedTask;
            },
            Token);

        using var response = await api.As(_user).PostAsync(Path, Answers.Json(Card), Token);
        var generation = await response.DataAsync(HttpStatusCode.Accepted);
        var update = await received.Task.WaitAsync(Token);
        Assert.Equal((string?)generation["id"], update.GenerationId);
        Assert.Equal((GenerationStatus.Pending, 1L), (update.Status, update.Seq));
    }

    [Theory]
    [InlineData("product_card", null, "product_card")]
    [InlineData("sora", null, "sora")]
    [InlineData("chat", null, "chat_processing")]
    [InlineData("chat", "image_generation", "image_generation")]
    public async Task The_task_defaults_to_the_first_one_of_the_type(string type, string? task, string expected)
    {
        var api = await shared.ApiAsync();
        var body = new JsonObject { ["type"] = type, ["prompt"] = "p" };
        if (task is not null)
        {
            body["task"] = task;
        }

        using var response = await api.As(_user).PostAsync(Path, Answers.Json(body.ToJsonString()), Token);
        await response.DataAsync(HttpStatusCode.Accepted);
        Assert.Equal(expected, await api.Database.ScalarAsync<string>($"SELECT task FROM generations WHERE user_id = '{_user}'", Token));
    }

    [Fact]
    public async Task Options_reach_the_database_unchanged()
    {
        var api = await shared.ApiAsync();
        const string Options = """{"size":[1,2.50,-3e2],"text":"é 😀","nested":{"yes":true,"none":null}}""";
        using var response = await api.As(_user).PostAsync(
            Path, Answers.Json($$"""{"type":"sora","prompt":"p","options":{{Options}}}"""), Token);
        await response.DataAsync(HttpStatusCode.Accepted);
        Assert.True(await api.Database.ScalarAsync<bool>($"SELECT options = '{Options}'::jsonb FROM generations WHERE user_id = '{_user}'", Token));
    }

    [Fact]
    public async Task The_same_key_and_request_return_the_same_generation_in_its_current_state()
    {
        var api = await shared.ApiAsync();
        var client = api.As(_user);
        using var first = await SubmitAsync(client, "key 1", Card);
        var created = await first.DataAsync(HttpStatusCode.Accepted);
        using var canceled = await client.PostAsync($"{Path}/{created["id"]}/cancel", null, Token);


        // The same request in another notation.
        using var second = await SubmitAsync(
            client, "key 1", """{ "prompt": "Product card: \u0063lean", "task": "product_card", "type": "product_card" }""");
        var repeated = await second.DataAsync(HttpStatusCode.Accepted);
        Assert.Equal((string?)created["id"], (string?)repeated["id"]);
        Assert.Equal("canceled", (string?)repeated["status"]);
        Assert.Equal(1L, await api.Database.ScalarAsync<long>($"SELECT count(*) FROM generations WHERE user_id = '{_user}'", Token));
    }

    [Theory]
    [InlineData("""{"type":"product_card","prompt":"another"}""")]
    [InlineData("""{"type":"sora","prompt":"Product card: clean"}""")]
    [InlineData("""{"type":"product_card","prompt":"Product card: clean","options":{"a":1}}""")]
    public async Task The_same_key_with_a_different_request_is_rejected(string other)
    {
        var api = await shared.ApiAsync();
        var client = api.As(_user);
        using var first = await SubmitAsync(client, "k", Card);
        await first.DataAsync(HttpStatusCode.Accepted);

        using var second = await SubmitAsync(client, "k", other);
        await second.ProblemAsync(HttpStatusCode.UnprocessableEntity, "idempotency_key_reused");
        Assert.Equal(1L, await api.Database.ScalarAsync<long>($"SELECT count(*) FROM generations WHERE user_id = '{_user}'", Token));
    }

    [Fact]
    public async Task A_deadline_is_returned_in_utc_and_is_part_of_the_request_that_a_key_identifies()
    {
        var api = await shared.ApiAsync();
        var client = api.As(_user);
        var time = DateTimeOffset.UtcNow.AddHours(5);
        static string Shown(DateTimeOffset time) => time.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        static string Body(string deadline) => $$"""{"type":"sora","prompt":"p","deadline":"{{deadline}}"}""";

        // The same time, two hours east.
        var local = Body(time.ToOffset(TimeSpan.FromHours(2)).ToString("yyyy-MM-dd'T'HH:mm:ss.fffzzz", CultureInfo.InvariantCulture));

        var first = await (await SubmitAsync(client, "k", local)).DataAsync(HttpStatusCode.Accepted);
        var same = await (await SubmitAsync(client, "k", Body(Shown(time)))).DataAsync(HttpStatusCode.Accepted);
        using var other = await SubmitAsync(client, "k", Body(Shown(time.AddSeconds(1))));

        // A retry may come after the deadline, but with this key it is the first request.
        using var late = await SubmitAsync(client, "late", Body(Shown(time.AddDays(-1))));
        using var none = await SubmitAsync(client, "k", """{"type":"sora","prompt":"p"}""");

        Assert.Equal(Shown(time), (string?)first["deadline"]);
        Assert.Equal(first.ToJsonString(), same.ToJsonString());
        Assert.Equal(HttpStatusCode.UnprocessableEntity, other.StatusCode);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, none.StatusCode);
        Assert.NotNull((await late.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request"))["errors"]!["deadline"]);
    }

    [Fact]
    public async Task The_same_key_from_two_users_creates_two_generations()
    {
        var api = await shared.ApiAsync();
        using var first = await SubmitAsync(api.As(_user), "k", Card);
        using var second = await SubmitAsync(api.As(SharedApi.NewUser()), "k", Card);
        Assert.NotEqual(
            (string?)(await first.DataAsync(HttpStatusCode.Accepted))["id"], (string?)(await second.DataAsync(HttpStatusCode.Accepted))["id"]);
    }

    [Fact]
    public async Task Fifty_concurrent_submissions_with_one_key_create_one_generation_and_one_event()
    {
        var api = await shared.ApiAsync();
        var client = api.As(_user);
        var responses = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => SubmitAsync(client, "k", Card)));
        var ids = new HashSet<string>();
        foreach (var response in responses)
        {
            ids.Add((string)(await response.DataAsync(HttpStatusCode.Accepted))["id"]!);
            response.Dispose();
        }

        Assert.Single(ids);
        Assert.Equal(1L, await api.Database.ScalarAsync<long>($"SELECT count(*) FROM generations WHERE user_id = '{_user}'", Token));
        Assert.Equal(1L, await api.Database.ScalarAsync<long>($"SELECT count(*) FROM status_events WHERE user_id = '{_user}'", Token));
        await api.Database.AssertConsistentAsync(Token);
    }

    private static async Task<HttpResponseMessage> SubmitAsync(HttpClient client, string key, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Path) { Content = Answers.Json(body) };
        request.Headers.Add("Idempotency-Key", key);
        return await client.SendAsync(request, Token);
    }

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z")]
    private static partial Regex Timestamp();
}
