using System.Net;
using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Egress;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Webhooks;

public sealed class WebhookInputTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private readonly string _user = SharedApi.NewUser();

    private static CancellationToken Token => TestTime.Token;

    public static TheoryData<string, string> BadMembers => new()
    {
        { "url", """{"url":null}""" },
        { "url", """{"url":""}""" },
        { "url", """{"url":5}""" },
        { "url", """{"url":{}}""" },
        { "url", """{"url":"nonsense"}""" },
        { "url", """{"url":"http://198.41.0.4/"}""" },
        { "url", """{"url":"https://user:password@198.41.0.4/"}""" },
        { "url", """{"url":"https://198.41.0.4/#fragment"}""" },
        { "url", """{"url":"https://198.41.0.4:22/"}""" },
        { "url", """{"url":"https://198.41.0.4:80/"}""" },
        { "url", """{"url":"https://public.example:25/"}""" },
        { "url", """{"url":"https://127.0.0.1/"}""" },
        { "url", """{"url":"https://2130706433/"}""" },
        { "url", """{"url":"https://0177.0.0.1/"}""" },
        { "url", """{"url":"https://[::ffff:10.0.0.1]/"}""" },
        { "url", """{"url":"https://169.254.169.254/latest/"}""" },
        { "url", """{"url":"https://localhost/"}""" },
        { "url", """{"url":"https://private.example/"}""" },
        { "url", """{"url":"https://PRIVATE.example/"}""" },
        { "url", """{"url":"https://mixed.example/"}""" },
        { "url", """{"url":"https://mapped.example/"}""" },
        { "url", $$"""{"url":"https://198.41.0.4/{{new string('a', 2048)}}"}""" },
        { "description", """{"url":"https://198.41.0.4/","description":7}""" },
        { "description", """{"url":"https://198.41.0.4/","description":"\u0000"}""" },
        { "description", $$"""{"url":"https://198.41.0.4/","description":"{{new string('a', 501)}}"}""" },
        { "statuses", """{"url":"https://198.41.0.4/","statuses":[]}""" },
        { "statuses", """{"url":"https://198.41.0.4/","statuses":"completed"}""" },
        { "statuses", """{"url":"https://198.41.0.4/","statuses":["completed","completed"]}""" },
        { "statuses[0]", """{"url":"https://198.41.0.4/","statuses":["Completed"]}""" },
        { "statuses[1]", """{"url":"https://198.41.0.4/","statuses":["failed","done"]}""" },
        { "statuses[0]", """{"url":"https://198.41.0.4/","statuses":[null]}""" },
        { "statuses[0]", """{"url":"https://198.41.0.4/","statuses":[2]}""" },
        { "types", """{"url":"https://198.41.0.4/","types":[]}""" },
        { "types", """{"url":"https://198.41.0.4/","types":["sora","sora"]}""" },
        { "types", """{"url":"https://198.41.0.4/","types":{"a":1}}""" },
        { "types[0]", """{"url":"https://198.41.0.4/","types":["video"]}""" },
        { "body", "[]" },
        { "body", "" },
        { "body", "{" },
    };

    [Fact]
    public async Task Every_invalid_registration_and_change_is_refused_and_its_field_is_named()
    {
        var api = await ApiAsync();
        var client = api.As(_user);
        var id = (await client.CreateWebhookAsync()).Id();
        foreach (var (field, body) in BadMembers.Select(row => row.Data))
        {
            using var created = await client.PostAsync(WebhookCalls.Path, Answers.Json(body), Token);
            await NamesAsync(created, field, body);
            using var changed = await client.PatchAsync($"{WebhookCalls.Path}/{id}", Answers.Json(body), Token);
            await NamesAsync(changed, field, body);
        }

        using var missing = await client.PostAsync(WebhookCalls.Path, Answers.Json("{}"), Token);
        await NamesAsync(missing, "url", "{}");
        foreach (var body in new[] { """{"enabled":null}""", """{"enabled":"true"}""", """{"enabled":1}""" })
        {
            using var changed = await client.PatchAsync($"{WebhookCalls.Path}/{id}", Answers.Json(body), Token);
            Assert.Equal("Must be true or false.", await NamesAsync(changed, "enabled", body));
        }

        Assert.Equal(1L, await api.Database.ScalarAsync<long>($"SELECT count(*) FROM webhooks WHERE user_id = '{_user}' AND updated_at = created_at", Token));
    }

    [Theory]
    [InlineData("/rotate-secret", "overlapSeconds", """{"overlapSeconds":-1}""")]
    [InlineData("/rotate-secret", "overlapSeconds", """{"overlapSeconds":604801}""")]
    [InlineData("/rotate-secret", "overlapSeconds", """{"overlapSeconds":"60"}""")]
    [InlineData("/rotate-secret", "overlapSeconds", """{"overlapSeconds":1.5}""")]
    [InlineData("/rotate-secret", "overlapSeconds", """{"overlapSeconds":99999999999}""")]
    [InlineData("/replay", "since", "{}")]
    [InlineData("/replay", "since", """{"since":null}""")]
    [InlineData("/replay", "since", """{"since":-1}""")]
    [InlineData("/replay", "since", """{"since":"0"}""")]
    [InlineData("/replay", "since", """{"since":9007199254740992}""")]
    [InlineData("/replay", "until", """{"since":0,"until":-1}""")]
    [InlineData("/replay", "until", """{"since":0,"until":[]}""")]
    [InlineData("/replay", "until", """{"since":0,"until":1}""")]
    [InlineData("/replay", "since", """{"since":1}""")]
    [InlineData("/replay", "body", "")]
    public async Task Every_invalid_rotation_and_replay_is_refused_and_its_field_is_named(string path, string field, string body)
    {
        var api = await ApiAsync();
        var client = api.As(_user);
        var id = (await client.CreateWebhookAsync()).Id();

        using var response = await client.PostAsync($"{WebhookCalls.Path}/{id}{path}", Answers.Json(body), Token);

        await NamesAsync(response, field, body);
    }

    [Theory]
    [InlineData("state", "?state=")]
    [InlineData("state", "?state=done")]
    [InlineData("state", "?state=Pending")]
    [InlineData("limit", "?limit=0")]
    [InlineData("limit", "?limit=101")]
    [InlineData("limit", "?limit=x")]
    [InlineData("cursor", "?cursor=")]
    [InlineData("cursor", "?cursor=dlv-1")]
    [InlineData("cursor", "?cursor=wh-0197f0f0-0000-7000-8000-000000000000")]
    public async Task Every_invalid_query_of_deliveries_is_refused_and_its_parameter_is_named(string field, string query)
    {
        var api = await ApiAsync();
        var client = api.As(_user);
        var id = (await client.CreateWebhookAsync()).Id();

        using var response = await client.GetAsync($"{WebhookCalls.Path}/{id}/deliveries{query}", Token);

        await NamesAsync(response, field, query);
    }

    [Theory]
    [InlineData("https://public.example/hook")]
    [InlineData("https://public.example:8443/hook?a=b")]
    [InlineData("https://nobody.example/")]
    [InlineData("https://slow.example/")]
    [InlineData("https://[2606:4700:4700::1111]/")]
    public async Task A_name_that_is_public_unknown_or_slow_to_resolve_is_accepted(string url)
    {
        var api = await ApiAsync();

        var webhook = await api.As(_user).CreateWebhookAsync(url: url);

        Assert.Equal(url, (string?)webhook["url"]);
    }

    [Fact]
    public async Task Outside_Development_a_url_must_have_one_of_the_allowed_ports()
    {
        var refused = await (await ApiAsync()).As(_user).PostProblemAsync(
            "", """{"url":"https://198.41.0.4:5432/"}""", HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal("Must have one of the allowed ports: 443, 4443, 8443, 9443.", (string?)refused["errors"]!["url"]![0]);

        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["Webhooks:AllowedPorts:0"] = "443", ["Webhooks:AllowedPorts:1"] = "5000-5999" }, "Production");
        await api.As(_user).CreateWebhookAsync(url: "https://198.41.0.4:5432/");
        await api.As(_user).PostProblemAsync("", """{"url":"https://198.41.0.4:8443/"}""", HttpStatusCode.BadRequest, "invalid_request");
    }

    [Fact]
    public async Task In_Development_a_receiver_on_this_machine_is_accepted_but_no_other_private_one()
    {
        await using var api = await TestApi.StartAsync(servers);
        var client = api.As(_user);

        await client.CreateWebhookAsync(url: "http://127.0.0.1:5099/hook");
        await client.CreateWebhookAsync(url: "http://[::1]:5099/hook");
        await client.CreateWebhookAsync(url: "http://localhost:5099/hook");
        await client.PostProblemAsync("", """{"url":"http://10.0.0.1/"}""", HttpStatusCode.BadRequest, "invalid_request");
        await client.PostProblemAsync("", """{"url":"http://169.254.169.254/"}""", HttpStatusCode.BadRequest, "invalid_request");
    }

    [Theory]
    [InlineData("Webhooks:AllowedNetworks:0", "10.0.0.0/33")]
    [InlineData("Webhooks:AllowedNetworks:0", "nonsense")]
    [InlineData("Webhooks:AllowedPorts:0", "0")]
    [InlineData("Webhooks:AllowedPorts:0", "8000-65536")]
    [InlineData("Webhooks:AllowedPorts:0", "9000-8000")]
    [InlineData("Webhooks:AllowedPorts:0", "https")]
    [InlineData("Webhooks:MaxPerUser", "0")]
    public async Task An_invalid_setting_prevents_the_start_and_is_named(string key, string value)
    {
        var failure = await Assert.ThrowsAsync<Microsoft.Extensions.Options.OptionsValidationException>(
            () => TestApi.StartAsync(servers, new Dictionary<string, string?> { [key] = value }, "Production"));

        Assert.Contains(key, failure.Message, StringComparison.Ordinal);
    }

    private Task<TestApi> ApiAsync() => shared.ApiAsync(() => TestApi.StartAsync(
        servers,
        new Dictionary<string, string?> { ["Webhooks:ResolveTimeout"] = "00:00:00.100" },
        "Production",
        builder => builder.Services.AddSingleton<IHostResolver>(new NamesResolver(
            ("public.example", ["198.41.0.4", "2606:4700:4700::1111"]),
            ("private.example", ["10.0.0.1"]),
            ("mixed.example", ["198.41.0.4", "127.0.0.1"]),
            ("mapped.example", ["::ffff:192.168.0.1"])))));

    private static async Task<string?> NamesAsync(HttpResponseMessage response, string field, string what)
    {
        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        var errors = problem["errors"]!.AsObject();
        Assert.True(errors.Count == 1 && errors.ContainsKey(field), $"{what}: {errors.ToJsonString()}");
        return (string?)errors[field]![0];
    }
}
