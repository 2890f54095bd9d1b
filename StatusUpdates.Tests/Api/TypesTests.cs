using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Transports;
using StatusUpdates.Tests.Webhooks;

namespace StatusUpdates.Tests.Api;

/// <summary>A type that is registered by configuration alone, and one that is not registered any more.</summary>
public sealed class TypesTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private const string Path = "/api/v1/generations";
    private const string Types = "/api/v1/types";
    private const string Poster = """{"type":"poster","prompt":"Come in, we are open","options":{"size":"a3","copies":2}}""";

    private readonly string _user = SharedApi.NewUser();

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task The_types_are_listed_with_their_tasks_and_what_each_makes_and_takes()
    {
        var api = await ApiAsync();
        using var response = await api.As(_user).GetAsync(Types, Token);
        var types = (await response.DataAsync())["items"]!.AsArray();

        Assert.Equal(["product_card", "sora", "chat", "poster"], types.Select(type => (string)type!["name"]!));
        Assert.Equal(
            """
            {"name":"chat","title":"Chat","defaultTask":"chat_processing","tasks":[
            {"name":"chat_processing","title":"Answer","makes":["text/","application/json"]},
            {"name":"image_generation","title":"Image","makes":["image/"]}]}
            """.Replace("\n", "", StringComparison.Ordinal),
            types[2]!.ToJsonString());
        Assert.Equal(
            """
            {"name":"poster","title":"Poster","defaultTask":"print_poster","tasks":[{"name":"print_poster","title":"Print","makes":["image/"],"options":[
            {"name":"copies","title":"copies","type":"integer","min":1,"max":10,"required":false},
            {"name":"glossy","title":"glossy","type":"boolean","required":false},
            {"name":"size","title":"Paper size","type":"string","values":["a3","a4"],"required":true}]}]}
            """.Replace("\n", "", StringComparison.Ordinal),
            types[3]!.ToJsonString());
    }

    [Fact]
    public async Task The_types_need_a_token_and_are_not_sent_again_to_a_client_that_has_them()
    {
        var api = await ApiAsync();
        using var anonymous = await api.Anonymous.GetAsync(Types, Token);
        Assert.Equal(HttpStatusCode.Unauthorized, anonymous.StatusCode);

        var client = api.As(_user);
        using var first = await client.GetAsync(Types, Token);
        Assert.Equal("no-cache, private", first.Headers.CacheControl?.ToString());
        using var request = new HttpRequestMessage(HttpMethod.Get, Types) { Headers = { IfNoneMatch = { first.Headers.ETag! } } };
        using var again = await client.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
    }

    [Fact]
    public async Task A_generation_of_a_configured_type_has_its_task_and_options_wherever_it_is_read()
    {
        var api = await ApiAsync();
        var client = api.As(_user);
        var created = await SubmitAsync(client, Poster);

        foreach (var generation in new[]
        {
            created,
            await GetAsync(client, $"{Path}/{created["id"]}"),
            (await GetAsync(client, $"{Path}?type=poster"))["items"]![0]!,
            (await GetAsync(client, $"{Path}?status=pending"))["items"]![0]!,
        })
        {
            Assert.Equal(("poster", "print_poster"), ((string?)generation["type"], (string?)generation["task"]));
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse("""{"copies":2,"size":"a3"}"""), generation["options"]), generation.ToJsonString());
        }
    }

    [Fact]
    public async Task Updates_of_a_configured_type_reach_sockets_and_polls()
    {
        var api = await ApiAsync();
        await using var socket = await SocketClient.ConnectAsync(api, _user);

        var created = await SubmitAsync(api.As(_user), Poster);

        Assert.Equal("poster", (string?)(await socket.NextPayloadAsync())["type"]);
        var poll = await GetAsync(api.As(_user), "/api/v1/status/poll?since=0");
        Assert.Equal(((string?)created["id"], "poster"), ((string?)poll["items"]![0]!["generationId"], (string?)poll["items"]![0]!["type"]));
    }

    [Theory]
    [InlineData("""{"size":"a5"}""", "options.size", "Allowed are: a3, a4.")]
    [InlineData("""{"size":3}""", "options.size", "Allowed are: a3, a4.")]
    [InlineData("""{}""", "options.size", "Is required. Allowed are: a3, a4.")]
    [InlineData(null, "options.size", "Is required. Allowed are: a3, a4.")]
    [InlineData("""{"size":"a3","copies":0}""", "options.copies", "Must be an integer from 1 to 10.")]
    [InlineData("""{"size":"a3","copies":11}""", "options.copies", "Must be an integer from 1 to 10.")]
    [InlineData("""{"size":"a3","copies":1.5}""", "options.copies", "Must be an integer from 1 to 10.")]
    [InlineData("""{"size":"a3","copies":"2"}""", "options.copies", "Must be an integer from 1 to 10.")]
    [InlineData("""{"size":"a3","glossy":"yes"}""", "options.glossy", "Must be true or false.")]
    [InlineData("""{"size":"a3","Size":"a3"}""", "options", "print_poster takes no option 'Size'. Allowed are: copies, glossy, size.")]
    [InlineData("""{"size":"a3","x":"\ud800"}""", "options", "Must not contain lone surrogates.")]
    public async Task An_option_that_the_task_does_not_take_is_refused_with_an_error_that_says_what_it_takes(string? options, string field, string error)
    {
        var api = await ApiAsync();
        var body = $$"""{"type":"poster","prompt":"p"{{(options is null ? "" : ",\"options\":" + options)}}}""";
        using var response = await api.As(_user).PostAsync(Path, Answers.Json(body), Token);

        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");

        Assert.Equal(error, (string?)problem["errors"]![field]![0]);
    }

    [Fact]
    public async Task An_unknown_type_is_refused_with_an_error_that_names_those_that_exist()
    {
        const string Known = "Allowed are: product_card, sora, chat, poster.";
        var api = await ApiAsync();
        var client = api.As(_user);
        using var submitted = await client.PostAsync(Path, Answers.Json("""{"type":"print_poster","prompt":"p"}"""), Token);
        using var listed = await client.GetAsync($"{Path}?type=retired", Token);
        var webhook = await client.PostProblemAsync(
            "", """{"url":"https://198.41.0.4/hook","types":["retired"]}""", HttpStatusCode.BadRequest, "invalid_request");

        Assert.Equal(Known, (string?)(await submitted.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request"))["errors"]!["type"]![0]);
        Assert.Equal(Known, (string?)(await listed.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request"))["errors"]!["type"]![0]);
        Assert.Equal(Known, (string?)webhook["errors"]!["types[0]"]![0]);
        Assert.Equal("poster", (string?)(await client.CreateWebhookAsync(""","types":["poster"]"""))["types"]![0]);
    }

    [Fact]
    public async Task A_generation_whose_type_is_no_longer_registered_can_still_be_read_listed_followed_and_canceled()
    {
        var api = await ApiAsync();
        var client = api.As(_user);
        var id = (await api.Database.SubmitAsync(_user, "retired", cancellationToken: Token)).Generation.Id;
        await SubmitAsync(client, Poster);

        Assert.Equal("retired", (string?)(await GetAsync(client, $"{Path}/{id}"))["type"]);
        foreach (var query in new[] { "", "?status=pending", "?status=pending&startDate=2020-01-01" })
        {
            var page = await GetAsync(client, Path + query);
            Assert.Equal((2L, id), ((long)page["total"]!, (string?)page["items"]![1]!["id"]));
        }

        Assert.Equal(id, (string?)(await GetAsync(client, $"{Path}?type=retired"))["items"]![0]!["id"]);
        Assert.Equal("retired", (string?)(await GetAsync(client, "/api/v1/status/poll?since=0"))["items"]![0]!["type"]);
        using var canceled = await client.PostAsync($"{Path}/{id}/cancel", null, Token);
        Assert.Equal("canceled", (string?)(await canceled.DataAsync())["status"]);
        Assert.Equal(1L, (long)(await GetAsync(client, $"{Path}?type=retired&status=canceled"))["total"]!);
    }

    private Task<TestApi> ApiAsync() => shared.ApiAsync(() => TestApi.StartAsync(servers, PosterType.Configuration));

    private static async Task<JsonNode> SubmitAsync(HttpClient client, string body)
    {
        using var response = await client.PostAsync(Path, Answers.Json(body), Token);
        return await response.DataAsync(HttpStatusCode.Accepted);
    }

    private static async Task<JsonNode> GetAsync(HttpClient client, string path)
    {
        using var response = await client.GetAsync(path, Token);
        return await response.DataAsync();
    }
}
