using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Api;

public sealed class DescriptionTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Every_route_of_the_API_is_described_and_every_description_is_a_route()
    {
        var api = await shared.ApiAsync();
        var document = await DocumentAsync(api);
        var described = document["paths"]!.AsObject()
            .SelectMany(path => path.Value!.AsObject().Select(method => $"{method.Key.ToUpperInvariant()} {path.Key.TrimEnd('/')}"));
        var mapped = api.Endpoints
            .Where(e => e.Path.StartsWith("/api/", StringComparison.Ordinal) || e.Path.StartsWith("/results", StringComparison.Ordinal))
            .Select(e => $"{e.Method} {e.Endpoint.RoutePattern.RawText!.TrimEnd('/')}");
        Assert.Equal(mapped.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_description_states_authentication_responses_and_allowed_values()
    {
        var api = await shared.ApiAsync();
        var document = await DocumentAsync(api);
        Assert.Equal("bearer", (string?)document["components"]!["securitySchemes"]!["Bearer"]!["scheme"]);

        var list = document["paths"]!["/api/v1/generations"]!["get"]!;
        Assert.Equal("Bearer", list["security"]![0]!.AsObject().Single().Key);
        Assert.Equal(
            ["status", "type", "startDate", "endDate", "limit", "offset", "cursor"],
            list["parameters"]!.AsArray().Select(parameter => (string)parameter!["name"]!));
        Assert.Equal(
            ["pending", "processing", "completed", "failed", "canceled"],
            list["parameters"]![0]!["schema"]!["enum"]!.AsArray().Select(name => (string)name!));
        foreach (var status in new[] { "400", "401", "429", "503" })
        {
            Assert.NotNull(list["responses"]![status]!["content"]!["application/problem+json"]);
        }

        var submit = document["paths"]!["/api/v1/generations"]!["post"]!;
        Assert.NotNull(submit["responses"]!["202"]);
        Assert.Equal("Idempotency-Key", (string?)submit["parameters"]![0]!["name"]);
        var deadline = document["components"]!["schemas"]!["SubmitRequest"]!["properties"]!["deadline"]!;
        Assert.Equal("date-time", (string?)deadline["format"]);
        Assert.Contains("string", deadline["type"]!.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains("30 days", (string?)deadline["description"], StringComparison.Ordinal);
        Assert.Null(document["paths"]!["/api/v1/dev/token"]!["post"]!["security"]);

        var stream = document["paths"]!["/api/v1/status/stream"]!["get"]!;
        Assert.Equal(
            ["since", "generationId", "lastEventId", "Last-Event-ID", "token", "ticket"],
            stream["parameters"]!.AsArray().Select(parameter => (string)parameter!["name"]!));

        // A client that is generated from the document takes types that are registered later.
        var type = document["components"]!["schemas"]!["SubmitRequest"]!["properties"]!["type"]!;
        Assert.Equal(("string", GenerationNames.Pattern), ((string?)type["type"], (string?)type["pattern"]));
        Assert.DoesNotContain("product_card", document.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(["name", "title", "defaultTask", "tasks"], Required(document["components"]!["schemas"]!["RegisteredType"]!));
        Assert.Equal(["name", "title"], Required(document["components"]!["schemas"]!["RegisteredTask"]!));
    }

    [Fact]
    public async Task The_description_gives_members_the_types_that_responses_have()
    {
        var api = await shared.ApiAsync();
        var schemas = (await DocumentAsync(api))["components"]!["schemas"]!;

        // Members without a value are absent: never required, never null.
        var page = schemas["GenerationPage"]!;
        Assert.Equal(["items", "total", "limit", "offset"], Required(page));
        Assert.Equal("string", (string?)page["properties"]!["nextCursor"]!["type"]);
        Assert.Equal(["type", "title", "status", "success", "code"], Required(schemas["Problem"]!));
        Assert.Equal(["type", "prompt"], Required(schemas["SubmitRequest"]!));
        Assert.Equal(["userId"], Required(schemas["DevTokenRequest"]!));

        // Numbers are numbers and times are strings.
        var generation = schemas["GenerationView"]!["properties"]!;
        Assert.Equal("integer", (string?)generation["seq"]!["type"]);
        Assert.Equal("integer", (string?)generation["progress"]!["type"]);
        Assert.Equal("string", (string?)generation["createdAt"]!["type"]);
        Assert.Equal("string", (string?)generation["completedAt"]!["type"]);
    }

    [Fact]
    public async Task The_description_of_webhooks_has_all_their_members()
    {
        var api = await shared.ApiAsync();
        var document = await DocumentAsync(api);
        var schemas = document["components"]!["schemas"]!;

        Assert.Equal(["url"], Required(schemas["CreateWebhookRequest"]!));
        Assert.Equal(
            ["url", "description", "statuses", "types", "enabled"],
            schemas["UpdateWebhookRequest"]!["properties"]!.AsObject().Select(member => member.Key));
        Assert.Equal("array", (string?)schemas["UpdateWebhookRequest"]!["properties"]!["statuses"]!["type"]);
        Assert.Equal(["id", "url", "enabled", "createdAt", "updatedAt"], Required(schemas["WebhookView"]!));
        Assert.Equal(["since"], Required(schemas["ReplayRequest"]!));
        Assert.Equal("604800", schemas["RotateSecretRequest"]!["properties"]!["overlapSeconds"]!["maximum"]!.ToJsonString());
        var deliveries = document["paths"]!["/api/v1/webhooks/{id}/deliveries"]!["get"]!["parameters"]!.AsArray();
        Assert.Equal(["id", "state", "limit", "cursor"], deliveries.Select(parameter => (string)parameter!["name"]!));
    }

    [Fact]
    public async Task The_description_is_built_once_and_not_sent_again_to_clients_that_have_it()
    {
        var built = 0;
        await using var api = await TestApi.StartAsync(servers, environment: "Production", configure: builder =>
            builder.Services.Configure<OpenApiOptions>("v1", options => options.AddDocumentTransformer((_, _, _) =>
            {
                Interlocked.Increment(ref built);
                return Task.CompletedTask;
            })));
        var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => api.Anonymous.GetAsync("/openapi/v1.json", Token)));
        var bytes = await Task.WhenAll(answers.Select(answer => answer.Content.ReadAsByteArrayAsync(Token)));
        Assert.All(bytes, content => Assert.Equal(bytes[0], content));

        using var request = new HttpRequestMessage(HttpMethod.Get, "/openapi/v1.json");
        request.Headers.IfNoneMatch.Add(answers[0].Headers.ETag!);
        using var again = await api.Anonymous.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
        Assert.Equal(answers[0].Headers.ETag, again.Headers.ETag);
        Assert.True(again.Headers.CacheControl?.NoCache);

        using var head = await api.Anonymous.SendAsync(new(HttpMethod.Head, "/openapi/v1.json"), Token);
        Assert.Equal(bytes[0].Length, head.Content.Headers.ContentLength);
        Assert.Equal("application/json", head.Content.Headers.ContentType?.MediaType);
        Assert.Equal(1, built);
    }

    [Fact]
    public async Task The_description_can_be_read_at_scalar_which_sends_no_telemetry()
    {
        await using var api = await TestApi.StartAsync(servers, environment: "Production");
        using var response = await api.Anonymous.GetAsync("/scalar", Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/html", response.Content.Headers.ContentType?.MediaType);
        var page = await response.Content.ReadAsStringAsync(Token);
        Assert.Contains("\"telemetry\":false", page, StringComparison.Ordinal);
        Assert.Contains("\"agent\":{\"disabled\":true", page, StringComparison.Ordinal);
        Assert.Contains("\"mcp\":{\"disabled\":true", page, StringComparison.Ordinal);

        // Every script has the policy's nonce, which differs in each response.
        var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        var nonce = policy.Split("'nonce-")[1].Split('\'')[0];
        Assert.Matches("^[0-9a-f]{32}$", nonce);
        Assert.Contains("connect-src 'self'", policy, StringComparison.Ordinal);
        Assert.Equal(page.Split("<script").Length - 1, page.Split($"nonce=\"{nonce}\"").Length - 1);
        using var other = await api.Anonymous.GetAsync("/scalar", Token);
        Assert.DoesNotContain(nonce, Assert.Single(other.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
    }

    private static IEnumerable<string> Required(JsonNode schema) => schema["required"]!.AsArray().Select(name => (string)name!);

    private static async Task<JsonObject> DocumentAsync(TestApi api)
    {
        using var response = await api.Anonymous.GetAsync("/openapi/v1.json", Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync(Token))!.AsObject();
    }
}
