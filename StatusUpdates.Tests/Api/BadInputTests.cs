using System.Net;
using System.Text;
using CsCheck;

namespace StatusUpdates.Tests.Api;

public sealed class BadInputTests(SharedApi shared) : IClassFixture<SharedApi>
{
    private const string Path = "/api/v1/generations";

    private readonly string _user = SharedApi.NewUser();

    private static CancellationToken Token => TestTime.Token;

    public static TheoryData<string, string> BadQueries => new()
    {
        { "status", "?status=" },
        { "status", "?status=done" },
        { "status", "?status=COMPLETED" },
        { "status", "?status=2" },
        { "status", "?status=pending,completed" },
        { "status", "?status=pending&status=pending" },
        { "status", "?status=pending%00" },
        { "type", "?type=" },
        { "type", "?type=ProductCard" },
        { "type", "?type=video" },
        { "type", "?type=chat&type=sora" },
        { "startDate", "?startDate=" },
        { "startDate", "?startDate=yesterday" },
        { "startDate", "?startDate=2024-02-30" },
        { "startDate", "?startDate=2024-13-01" },
        { "startDate", "?startDate=01/02/2024" },
        { "startDate", "?startDate=1704067200" },
        { "startDate", "?startDate=2024-01-01T25:00:00Z" },
        { "startDate", "?startDate=2024-01-01T00:00:00X" },
        { "startDate", "?startDate=0001-01-01T00:00:00%2B14:00" },
        { "startDate", "?startDate=2024-01-01&startDate=2024-01-02" },
        { "endDate", "?endDate=2024-1-1" },
        { "endDate", "?endDate=9999-12-31T23:59:59-14:00" },
        { "endDate", "?endDate=%D9%A2%D9%A0%D9%A2%D9%A4-01-01" },
        { "limit", "?limit=" },
        { "limit", "?limit=0" },
        { "limit", "?limit=101" },
        { "limit", "?limit=-1" },
        { "limit", "?limit=ten" },
        { "limit", "?limit=1.5" },
        { "limit", "?limit=1e1" },
        { "limit", "?limit=%2010" },
        { "limit", "?limit=99999999999999999999" },
        { "limit", "?limit=4294967297" },
        { "limit", "?limit=1&limit=2" },
        { "offset", "?offset=" },
        { "offset", "?offset=-1" },
        { "offset", "?offset=10001" },
        { "offset", "?offset=x" },
        { "offset", "?offset=0&offset=0" },
        { "cursor", "?cursor=" },
        { "cursor", "?cursor=abc" },
        { "cursor", "?cursor=!!!" },
        { "cursor", "?cursor=MTIzNA" },
        { "cursor", "?cursor=OTk5OTk5OTk5OTk5OTk5OTk5LmdlbgAA" },
        { "cursor", "?cursor=LTkyMjMzNzIwMzY4NTQ3NzU4MDguZ2VuLTE" },
        { "cursor", "?cursor=MC5nZW4tMQ&offset=0" },
    };

    public static TheoryData<string, string> BadBodies => new()
    {
        { "body", "" },
        { "body", "null" },
        { "body", "[]" },
        { "body", "7" },
        { "body", "{" },
        { "body", "not json" },
        { "body", """{"type":"chat","prompt":"p"} trailing""" },
        { "type", """{"prompt":"p"}""" },
        { "type", """{"type":null,"prompt":"p"}""" },
        { "type", """{"type":"","prompt":"p"}""" },
        { "type", """{"type":"Chat","prompt":"p"}""" },
        { "type", """{"type":"video","prompt":"p"}""" },
        { "type", """{"type":2,"prompt":"p"}""" },
        { "type", """{"type":["chat"],"prompt":"p"}""" },
        { "deadline", """{"type":"chat","prompt":"p","deadline":"2020-01-01T00:00:00Z"}""" },
        { "deadline", """{"type":"chat","prompt":"p","deadline":"9999-12-31T23:59:59Z"}""" },
        { "deadline", """{"type":"chat","prompt":"p","deadline":"2099-01-01T00:00:00"}""" },
        { "deadline", """{"type":"chat","prompt":"p","deadline":"2099-01-01"}""" },
        { "deadline", """{"type":"chat","prompt":"p","deadline":"2099-02-30T00:00:00Z"}""" },
        { "deadline", """{"type":"chat","prompt":"p","deadline":"tomorrow"}""" },
        { "deadline", """{"type":"chat","prompt":"p","deadline":""}""" },
        { "deadline", """{"type":"chat","prompt":"p","deadline":4102444800}""" },
        { "prompt", """{"type":"chat"}""" },
        { "prompt", """{"type":"chat","prompt":null}""" },
        { "prompt", """{"type":"chat","prompt":""}""" },
        { "prompt", """{"type":"chat","prompt":" \t\n "}""" },
        { "prompt", """{"type":"chat","prompt":7}""" },
        { "prompt", """{"type":"chat","prompt":{}}""" },
        { "prompt", """{"type":"chat","prompt":"a\u0000b"}""" },
        { "prompt", """{"type":"chat","prompt":"\ud800"}""" },
        { "prompt", """{"type":"chat","prompt":"a\udc00b"}""" },
        { "prompt", """{"type":"chat","prompt":"\udc00\ud800"}""" },
        { "prompt", $$"""{"type":"chat","prompt":"{{new string('p', 8001)}}"}""" },
        { "task", """{"type":"chat","prompt":"p","task":"sora"}""" },
        { "task", """{"type":"chat","prompt":"p","task":"nonsense"}""" },
        { "task", """{"type":"chat","prompt":"p","task":1}""" },
        { "options", """{"type":"chat","prompt":"p","options":[]}""" },
        { "options", """{"type":"chat","prompt":"p","options":"x"}""" },
        { "options", """{"type":"chat","prompt":"p","options":{"a":"\u0000"}}""" },
        { "options", """{"type":"chat","prompt":"p","options":{"a":{"b":["\ud800"]}}}""" },
        { "options", """{"type":"chat","prompt":"p","options":{"\u0000":1}}""" },
        { "options", """{"type":"chat","prompt":"p","options":{"a":1e999999}}""" },
        { "options", """{"type":"chat","prompt":"p","options":{"a":0e-999999}}""" },
        { "options", $$$"""{"type":"chat","prompt":"p","options":{"a":0.{{{new string('0', 20000)}}}1}}""" },
        { "options", $$$"""{"type":"chat","prompt":"p","options":{"a":"{{{new string('a', 16 * 1024)}}}"}}""" },
        { "options", $$$"""{"type":"chat","prompt":"p","options":{"a":{{{new string('[', 16)}}}{{{new string(']', 16)}}}}}""" },
    };

    [Fact]
    public async Task Every_bad_query_of_a_list_is_refused_with_an_error_that_names_the_parameter()
    {
        var api = await shared.ApiAsync();
        var client = api.As(_user);
        foreach (var (field, query) in BadQueries.Select(row => row.Data))
        {
            using var response = await client.GetAsync(Path + query, Token);
            await AssertNamedAsync(response, field, query);
        }
    }

    [Theory]
    [InlineData("since", "?since=-1")]
    [InlineData("since", "?since=x")]
    [InlineData("since", "?since=")]
    [InlineData("since", "?since=9007199254740992")]
    [InlineData("since", "?since=1&since=2")]
    [InlineData("limit", "?limit=0")]
    [InlineData("limit", "?limit=1001")]
    public async Task Every_bad_query_of_a_history_is_refused_with_an_error_that_names_the_parameter(string field, string query)
    {
        var api = await shared.ApiAsync();
        using var response = await api.As(_user).GetAsync($"{Path}/gen-1/history{query}", Token);
        await AssertNamedAsync(response, field, query);
    }

    [Fact]
    public async Task Every_bad_body_of_a_submission_is_refused_with_an_error_that_names_the_member()
    {
        var api = await shared.ApiAsync();
        var client = api.As(_user);
        foreach (var (field, body) in BadBodies.Select(row => row.Data))
        {
            using var response = await client.PostAsync(Path, Answers.Json(body), Token);
            await AssertNamedAsync(response, field, body);
        }

        Assert.Equal(0L, await api.Database.ScalarAsync<long>($"SELECT count(*) FROM generations WHERE user_id = '{_user}'", Token));
    }

    [Theory]
    [InlineData("type", """{"type":"video","prompt":"p"}""", "Allowed are: product_card, sora, chat.")]
    [InlineData("type", """{"prompt":"p"}""", "Is required. Allowed are: product_card, sora, chat.")]
    [InlineData("task", """{"type":"chat","prompt":"p","task":"sora"}""", "Allowed for this type are: chat_processing, image_generation.")]
    [InlineData("deadline", """{"type":"chat","prompt":"p","deadline":"tomorrow"}""", "Must be a time in ISO 8601 with an offset, such as 2024-01-31T12:00:00Z.")]
    public async Task The_error_of_a_value_with_a_format_of_its_own_says_what_is_accepted(string field, string body, string error)
    {
        var api = await shared.ApiAsync();
        using var response = await api.As(_user).PostAsync(Path, Answers.Json(body), Token);
        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(error, (string?)problem["errors"]![field]![0]);
    }

    [Fact]
    public async Task Member_names_with_a_lone_surrogate_are_refused()
    {
        var api = await shared.ApiAsync();
        using var response = await api.As(_user).PostAsync(
            Path, Answers.Json("""{"type":"chat","prompt":"p","options":{"a":{"\ud800":1}}}"""), Token);
        await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
    }

    [Theory]
    [InlineData("""{"type":"chat","type":"sora","prompt":"p"}""")]
    [InlineData("""{"type":"chat","prompt":"p","options":{"a":1,"a":2}}""")]
    public async Task A_member_given_twice_is_refused(string body)
    {
        var api = await shared.ApiAsync();
        using var response = await api.As(_user).PostAsync(Path, Answers.Json(body), Token);
        await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
    }

    [Fact]
    public async Task Bytes_that_are_not_UTF_8_are_refused()
    {
        var api = await shared.ApiAsync();
        using var content = new ByteArrayContent([.. """{"type":"chat","prompt":"""u8, (byte)'"', 0xC3, 0x28, (byte)'"', (byte)'}']);
        content.Headers.ContentType = new("application/json");
        using var response = await api.As(_user).PostAsync(Path, content, Token);
        await AssertNamedAsync(response, "prompt", "bytes");
    }

    [Fact]
    public async Task All_errors_are_reported_at_once()
    {
        var api = await shared.ApiAsync();
        using var response = await api.As(_user).GetAsync($"{Path}?status=x&type=y&limit=0&offset=-1&startDate=z&endDate=z&cursor=!", Token);
        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(
            ["cursor", "endDate", "limit", "offset", "startDate", "status", "type"],
            problem["errors"]!.AsObject().Select(member => member.Key).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("ü")]
    [InlineData("tab\there")]
    [InlineData("256")]
    public async Task A_bad_idempotency_key_is_refused_with_an_error_that_names_the_header(string key)
    {
        var api = await shared.ApiAsync();
        using var handler = new SocketsHttpHandler { RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8 };
        using var client = new HttpClient(handler) { BaseAddress = api.Address };
        client.DefaultRequestHeaders.Authorization = new("Bearer", TestTokens.Create(_user));
        using var request = new HttpRequestMessage(HttpMethod.Post, Path) { Content = Answers.Json("""{"type":"chat","prompt":"p"}""") };
        request.Headers.TryAddWithoutValidation("Idempotency-Key", key == "256" ? new string('k', 256) : key);
        using var response = await client.SendAsync(request, Token);
        await AssertNamedAsync(response, "Idempotency-Key", key);
    }

    [Fact]
    public async Task A_prompt_and_a_key_of_maximum_length_are_accepted()
    {
        var api = await shared.ApiAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, Path)
        {
            Content = Answers.Json($$"""{"type":"chat","prompt":"{{new string('€', 8000)}}"}"""),
        };
        request.Headers.Add("Idempotency-Key", new string('~', 255));
        using var response = await api.As(_user).SendAsync(request, Token);
        await response.DataAsync(HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task A_body_over_the_limit_is_refused_as_too_large()
    {
        var api = await shared.ApiAsync();
        var client = api.As(_user);
        using var content = Answers.Json($$"""{"type":"chat","prompt":"{{new string('p', 70_000)}}"}""");
        using var response = await client.PostAsync(Path, content, Token);
        await response.ProblemAsync(HttpStatusCode.RequestEntityTooLarge, "body_too_large");

        using var request = new HttpRequestMessage(HttpMethod.Post, Path) { Content = Answers.Json(new string(' ', 70_000)) };
        request.Headers.TransferEncodingChunked = true;
        using var chunked = await client.SendAsync(request, Token);
        await chunked.ProblemAsync(HttpStatusCode.RequestEntityTooLarge, "body_too_large");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("garbage")]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/json; charset=foo")]
    [InlineData("application/json; charset=utf-16")]
    [InlineData("application/json; charset=\"UTF-16\"")]
    [InlineData("application/json; charset=iso-8859-1")]
    [InlineData("application/json; charset=utf-8; charset=foo")]
    [InlineData("application/json; charset=")]
    [InlineData("text/plain; charset=foo")]
    public async Task A_body_of_another_type_or_charset_is_refused_with_an_error_that_names_what_is_allowed(string? contentType)
    {
        var api = await shared.ApiAsync();
        foreach (var path in new[] { Path, "/api/v1/webhooks" })
        {
            using var response = await PostAsync(api, path, contentType);
            var problem = await response.ProblemAsync(HttpStatusCode.UnsupportedMediaType, "unsupported_media_type");
            Assert.Contains("application/json", (string?)problem["detail"], StringComparison.Ordinal);
            Assert.Contains("charset=utf-8", (string?)problem["detail"], StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("APPLICATION/JSON")]
    [InlineData("application/json; charset=utf-8")]
    [InlineData("application/json;charset=UTF-8")]
    [InlineData("application/json; Charset=\"Utf-8\"")]
    [InlineData("application/json; x=y; charset=utf-8")]
    public async Task A_JSON_body_in_UTF_8_is_accepted_however_its_content_type_is_written(string contentType)
    {
        var api = await shared.ApiAsync();
        using var response = await PostAsync(api, Path, contentType);
        await response.DataAsync(HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task No_query_causes_a_server_error()
    {
        var api = await shared.ApiAsync();
        var client = api.As(_user);
        var name = Gen.OneOfConst("status", "type", "startDate", "endDate", "limit", "offset", "cursor", "since", "token", "ticket");
        var value = Gen.OneOf(
            Gen.OneOfConst("", "pending", "chat", "2024-01-01", "2024-01-01T00:00:00Z", "9999-12-31", "0001-01-01", "1", "100", "-1", "%00", "%ED%A0%80", "%"),
            Gen.String[0, 30].Select(text => Uri.EscapeDataString(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)))));
        var query = Gen.Select(name, value, (n, v) => $"{n}={v}").Array[0, 5].Select(pairs => string.Join('&', pairs));
        var path = Gen.OneOfConst(Path, $"{Path}/gen-1/history", $"{Path}/gen-1");
        await Gen.Select(path, query).SampleAsync(
            async (p, q) =>
            {
                using var response = await client.GetAsync($"{p}?{q}", Token);
                Assert.True((int)response.StatusCode is 200 or 400 or 404, $"{p}?{q}: {response.StatusCode}");
            },
            iter: 1_000,
            threads: 2);
    }

    [Fact]
    public async Task No_body_causes_a_server_error_and_accepted_ones_can_be_read_back()
    {
        var api = await shared.ApiAsync();
        var client = api.As(_user);
        var text = Gen.OneOf(
            Gen.OneOfConst("\"chat\"", "\"sora\"", "\"p\"", "null", "1", "1e400", "-0", "true", "{}", "[]", "\"\\ud800\"", "\"\\u0000\"", "\"😀\"", ""),
            Gen.String[0, 20].Select(s => System.Text.Json.JsonSerializer.Serialize(s)));
        var member = Gen.Select(Gen.OneOfConst("type", "prompt", "task", "options", "other"), text, (n, v) => $"\"{n}\":{v}");
        var nested = member.Array[0, 3].Select(members => $"\"options\":{{{string.Join(',', members)}}}");
        var body = Gen.OneOf(member, nested).Array[0, 4].Select(members => $"{{{string.Join(',', ["\"type\":\"chat\"", "\"prompt\":\"p\"", .. members])}}}");
        await Gen.OneOf(body, member.Array[0, 5].Select(members => $"{{{string.Join(',', members)}}}")).SampleAsync(
            async b =>
            {
                using var response = await client.PostAsync(Path, Answers.Json(b), Token);
                Assert.True((int)response.StatusCode is 202 or 400, $"{b}: {response.StatusCode}");
            },
            iter: 1_000,
            threads: 2);

        using var list = await client.GetAsync($"{Path}?limit=100", Token);
        await list.DataAsync();
    }

    private static async Task AssertNamedAsync(HttpResponseMessage response, string field, string input)
    {
        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        var errors = problem["errors"]?.AsObject().Select(member => member.Key).ToArray();
        Assert.True(errors is [var name] && name == field, $"{input[..Math.Min(80, input.Length)]}: {problem.ToJsonString()}");
    }

    private async Task<HttpResponseMessage> PostAsync(TestApi api, string path, string? contentType)
    {
        using var content = new ByteArrayContent("""{"type":"chat","prompt":"p"}"""u8.ToArray());
        if (contentType is not null)
        {
            content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        }

        return await api.As(_user).PostAsync(path, content, Token);
    }
}
